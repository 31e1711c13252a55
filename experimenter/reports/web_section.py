"""The report's section on a policy of web pages: episodes step by step as pictures, and how it does in each browser.

Pictures are PNG files inside the page, drawn by us from the browser's screenshots; every word of a page is escaped by the template.
"""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from envs.task import TaskSpec
from envs.web.backend import Action, BrowserError, BrowserMissing, Element, Snapshot, Verb
from envs.web.browsers import open_browser
from envs.web.params import WebParams
from experimenter.evaluation.seeds import admission_seeds
from experimenter.evaluation.web_transfer import Filmed, Picture, TransferRow, film_episode, measure_transfer
from skills.artifact import load_policy

log = logging.getLogger(__name__)

FAMILY = "web"
EPISODES = 20
"""Pages of the transfer table, each greedy and sampled, in each browser."""
FILMED = 3
_MOST_SHOTS = 9
_MARK, _HALO = "#d55e00", "#ffffff"
_DRAWN = frozenset(("rect", "circle", "ellipse", "line", "polygon", "polyline", "path", "text", "tspan"))


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One step."""

    image: str
    """PNG as a data URI, the element that is acted on marked."""
    words: str
    """What is done there."""


@dataclass(frozen=True, kw_only=True)
class TraceView:
    """One episode."""

    instruction: str
    end: str
    steps: int
    shots: tuple[Shot, ...]
    left_out: int
    """Steps in the middle that are not shown."""


@dataclass(frozen=True, kw_only=True)
class WebView:
    """The section."""

    traces: tuple[TraceView, ...]
    rows: tuple[TransferRow, ...]


def web_view(task: TaskSpec, policy_folder: Path, *, episodes: int = EPISODES, filmed: int = FILMED) -> WebView | None:
    """Play the policy of a web task for its section; None for another family.

    Raises `ArtifactError` for a policy that cannot be loaded. Where a browser fails, what it would have shown is left out.
    """
    if task.family != FAMILY:
        return None
    policy, params = load_policy(policy_folder), WebParams.model_validate(dict(task.params))
    seeds = admission_seeds(max(episodes, filmed))
    traces: list[TraceView] = []
    try:
        browser = open_browser("chromium")
        try:
            films = (film_episode(policy, params, seed, horizon=task.horizon, browser=browser) for seed in seeds)
            traces.extend(draw_trace(film) for film in islice(films, filmed))
        finally:
            browser.close()
    except (BrowserError, BrowserMissing) as error:
        log.warning("no pictures of web episodes: %s", error)
    rows = measure_transfer(policy, params, seeds[:episodes], horizon=task.horizon) if episodes else []
    return WebView(traces=tuple(traces), rows=tuple(rows))


def draw_trace(filmed: Filmed) -> TraceView:
    """One episode as pictures; of a long one the middle is left out."""
    steps = filmed.episode.trace.steps
    shots = [
        Shot(image=png_uri(mark(picture, _target(step.action, step.page))), words=tell(step.action, step.page))
        for step, picture in zip(steps, filmed.pictures, strict=False)
    ]
    last = Shot(image=png_uri(filmed.pictures[-1]), words=f"afterwards: {filmed.episode.end.value}")
    kept = _thin([*shots, last])
    return TraceView(
        instruction=filmed.episode.trace.instruction,
        end=filmed.episode.end.value,
        steps=filmed.episode.length,
        shots=tuple(kept),
        left_out=len(shots) + 1 - len(kept),
    )


def mark(picture: Picture, element: Element | None) -> Picture:
    """The picture [height, width, 3] with a frame around the element's box; unchanged where it has none on the page."""
    if element is None or element.tag in _DRAWN or element.box[2] <= 0 or element.box[3] <= 0:
        return picture
    left, top, width, height = element.box
    if left >= picture.shape[1] or top >= picture.shape[0] or left + width <= 0 or top + height <= 0:
        return picture
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    for grown, colour in ((3, _HALO), (2, _MARK), (1, _MARK)):
        draw.rectangle((left - grown, top - grown, left + width + grown - 1, top + height + grown - 1), outline=colour)
    return np.asarray(image, dtype=np.uint8)


def png_uri(picture: Picture) -> str:
    """A picture as a data URI."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def tell(action: Action, page: Snapshot) -> str:
    """An action in words; what comes from the page stays text for the template to escape."""
    element = _target(action, page)
    if element is None:
        return f"{action.verb.value} {action.text}".strip()
    name = element.text or ("" if element.editable else element.value) or element.attributes or element.around
    drawn = " (drawn, not marked)" if element.tag in _DRAWN else ""
    where = f"{element.tag} “{name[:60]}”{drawn}"
    return f"type “{action.text[:60]}” into {where}" if action.verb is Verb.TYPE else f"{action.verb.value} {where}"


def _target(action: Action, page: Snapshot) -> Element | None:
    return page.elements[action.element] if 0 <= action.element < len(page.elements) else None


def _thin(shots: Sequence[Shot]) -> list[Shot]:
    if len(shots) <= _MOST_SHOTS:
        return list(shots)
    return [*shots[: _MOST_SHOTS // 2 + 1], *shots[-(_MOST_SHOTS // 2) :]]
