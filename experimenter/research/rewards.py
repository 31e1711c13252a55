"""The arms of a race: baselines, and a generation of the model's programs after their screens.

A generation is written in two ways: in its own step, or ahead of it (`write_ahead`), in a thread, while the last rung of the race before
still runs. Either way its programs are rows first (`written`); the step then lets them race.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from envs.task import TaskSpec
from experimenter.llm.gateway import CALLS_AT_ONCE
from experimenter.records import RewardKind, RewardProgram
from experimenter.research.agenda import card_of
from experimenter.research.population import Teller, births_of
from experimenter.research.screening import screen_programs
from experimenter.rewards.evolution import Birth, Operator
from experimenter.rewards.specification import rule_specification
from experimenter.roles.common import is_small
from experimenter.roles.reward_writer import WriterBrief, Written
from experimenter.roles.reward_writer import write_rewards as ask_rewards
from experimenter.services import Services

log = logging.getLogger(__name__)


def write_rewards(services: Services, task_digest: str, generation: int, meanwhile: Callable[[], None]) -> None:
    """Put the baseline arms (first generation) and the model's screened programs on the task's list.

    `meanwhile` is called once in this thread while the model writes: training that needs no answer of the model.
    """
    journal = services.journal
    task, key = journal.task(task_digest), f"rewards:{task_digest}:{generation}"
    if generation == 0:
        births = {arm.digest: (0, Operator.BASELINE.value, 0) for arm in baseline_arms(task)}
        journal.add_rewards(task_digest, baseline_arms(task), 0, "racing", births=births)
    if journal.event_data(key) is None:
        _beside(lambda: write_generation(services, task, generation), meanwhile)
    _let_race(services, task_digest, generation)


def baseline_arms(task: TaskSpec) -> list[RewardProgram]:
    """Native reward, fitness as reward, and the reward that a rule makes from the card without any model."""
    rule = rule_specification(card_of(task))
    return [RewardProgram(kind=RewardKind.NATIVE), RewardProgram(kind=RewardKind.FITNESS), rule]


def write_generation(services: Services, task: TaskSpec, generation: int) -> None:
    """Ask for a generation's programs, screen them and write them down; doing it twice does nothing."""
    journal, config, key = services.journal, services.config, f"rewards:{task.digest}:{generation}"
    if journal.event_data(key) is not None:
        return
    accepted = 0
    if config.candidates:
        teller = Teller(services, task, generation)
        births = births_of(services, task, generation)
        if teller.lessons:
            told = {"lessons": list(teller.lessons)}
            journal.event(f"told:{task.digest}:{generation}", "told", f"{len(teller.lessons)} lessons are told", told)
        programs, places = _ask_all(services, task, births, teller, key)
        accepted = screen_programs(services, task, programs, generation, places) if programs else 0
    said = f"generation {generation}: {accepted} reward programs may race ({config.candidates} asked for; equal ones count once)"
    journal.event(key, "rewards", said)


class Ahead:
    """Writes the next generation in a thread; what goes wrong there is logged and the step itself does it again."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=self._run, args=(work,), name="write-ahead", daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (
            Exception
        ) as error:  # a stage boundary: the step that needs the programs meets the error again, in its own thread
            log.warning("writing ahead stopped: %s", error)

    def join(self) -> None:
        self._thread.join()


def _ask_all(
    services: Services, task: TaskSpec, births: Sequence[Birth], teller: Teller, key: str
) -> tuple[list[RewardProgram], dict[str, tuple[int, str, int]]]:
    """One question a group of equal births; returns distinct programs and where each was born."""
    groups: dict[tuple[Operator, tuple[str, ...]], list[Birth]] = {}
    for birth in births:
        groups.setdefault((birth.operator, birth.parents), []).append(birth)
    gateway = services.speaker()
    parallel = gateway is not None and gateway.remote and len(groups) > 1
    if parallel and gateway is not None:
        is_small(gateway)  # probes the model once, before questions go out side by side

    def ask(group: list[Birth]) -> Written:
        brief: WriterBrief = teller.brief(group[0])
        step = f"{key}:{group[0].slot}"
        return ask_rewards(gateway, task, card_of(task), k=len(group), brief=brief, step=step)

    with ThreadPoolExecutor(max_workers=CALLS_AT_ONCE if parallel else 1) as pool:
        answers = list(pool.map(ask, groups.values()))
    known = {row.reward_digest for row in services.journal.rewards(task.digest)}
    programs: dict[str, RewardProgram] = {}
    places: dict[str, tuple[int, str, int]] = {}
    for group, written in zip(groups.values(), answers, strict=True):
        for index, refusal in enumerate(written.refusals):
            text = f"unusable answer of the reward writer: {refusal}"
            services.journal.event(f"{key}:{group[0].slot}:refused:{index}", "reward", text)
        if written.source.startswith("rule:"):
            continue
        for birth, program in zip(group, written.programs, strict=False):
            if program.digest in known:  # the same text was tried before: its result stands
                continue
            programs.setdefault(program.digest, program)
            places.setdefault(program.digest, (birth.island, birth.operator.value, birth.slot))
    return list(programs.values()), places


def _let_race(services: Services, task_digest: str, generation: int) -> None:
    rows = [row for row in services.journal.rewards(task_digest) if row.generation == generation]
    services.journal.set_fates(
        task_digest, {row.reward_digest: ("racing", "") for row in rows if row.fate == "written"}
    )


def _beside(work: Callable[[], None], meanwhile: Callable[[], None]) -> None:
    """Run `work` in a thread and `meanwhile` here; what `work` raises is raised here, after both have ended."""
    failure: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # handed to the caller's thread
            failure.append(error)

    thread = threading.Thread(target=run, name="reward-writer", daemon=True)
    thread.start()
    try:
        meanwhile()
    finally:
        thread.join()
    if failure:
        raise failure[0]
