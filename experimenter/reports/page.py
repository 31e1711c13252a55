"""The page: facts and figures into one HTML file that needs nothing else to be read."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from envs.catalog import get_family
from envs.task import TaskSpec
from experimenter.reports import figures
from experimenter.reports.facts import SessionFacts, TaskFacts, call_text, gather_facts
from experimenter.reports.lineage import draw_lineage
from experimenter.reports.measures import Measure, held_params, list_measures, told_params
from experimenter.reports.training import training_words
from experimenter.wording import count, duration
from memory.store import Store
from skills.artifact import ArtifactError

if TYPE_CHECKING:
    from experimenter.reports.web_section import WebView

log = logging.getLogger(__name__)


def write_report(store: Store, home: Path, session_id: str, out: Path | None = None) -> Path:
    """Write the report of a session to `out` (default: `reports/<session>.html` in the home); returns where it is."""
    with store.read() as session:
        facts = gather_facts(session, session_id)
    path = out or home / "reports" / f"{facts.row.id}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + f".{os.getpid()}.part")
    part.write_text(render_page(facts, home), encoding="utf-8")
    part.replace(path)
    return path


def render_page(facts: SessionFacts, home: Path) -> str:
    """Render the page; all text from models, people and files is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": duration, "count": count, "told": told_params, "held": held_params}
    template = environment.get_template("page.html.j2")
    views = [TaskView(task, home) for task in facts.tasks]
    return template.render(facts=facts, views=views, call_text=call_text)


class TaskView:
    """One task's figures, drawn when the template asks for them."""

    def __init__(self, task: TaskFacts, home: Path) -> None:
        self.task = task
        self._home = home

    @property
    def curves(self) -> str:
        arms = {arm.program.label: arm.longest for arm in self.task.arms if any(result.curve for result in arm.longest)}
        return figures.draw_arms(arms) if arms else ""

    @property
    def lineage(self) -> str:
        return draw_lineage(self.task.lineage)

    @property
    def terms(self) -> str:
        winner = self.task.winner
        shown = [result for result in winner.longest if any(point.terms for point in result.curve)] if winner else []
        return figures.draw_terms(shown[0]) if shown else ""

    @property
    def measures(self) -> list[Measure]:
        """The further measures of the certificate's episodes."""
        skill = self.task.skill
        return list_measures(skill.family, self._home / "skills" / skill.artifact) if skill is not None else []

    @property
    def trained(self) -> str:
        """How the certified policy was trained, with whatever led it there."""
        skill = self.task.skill
        return training_words(skill.provenance, get_family(skill.family).card()) if skill is not None else ""

    @property
    def film(self) -> str | None:
        """The certified policy, or else the winner's best policy, in a held-out world."""
        folder = self._policy_folder()
        if folder is None:
            return None
        try:
            return figures.film(self._home, TaskSpec.model_validate(self.task.row.payload), folder)
        except (ArtifactError, ValueError, OSError) as error:
            log.warning("no film of task %s: %s", self.task.row.task_digest, error)
            return None

    @property
    def web(self) -> WebView | None:
        """Episodes as pictures and the browsers side by side, for a policy of web pages."""
        folder = self._policy_folder()
        if self.task.row.payload.get("family") != "web" or folder is None or not folder.is_dir():
            return None
        from experimenter.reports.web_section import web_view  # other families need no browser

        try:
            return web_view(TaskSpec.model_validate(self.task.row.payload), folder)
        except (ArtifactError, ValueError, OSError) as error:
            log.warning("no web section of task %s: %s", self.task.row.task_digest, error)
            return None

    def _policy_folder(self) -> Path | None:
        if self.task.skill is not None:
            return self._home / "skills" / self.task.skill.artifact
        best = self.task.verdicts[-1].payload.get("best_job") if self.task.verdicts else None
        return self._home / "jobs" / best / "policy" if best else None
