"""Tier T2: two or three tasks on one page, to be done in order (compositions as in CompWoB, Furuta et al. 2023, arXiv 2311.18751).

The page is made of the tasks' own pages in frames, see miniwob.py and agent.js. Here: its instruction, and its oracle, which is the
oracles of the tasks one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from envs.web.backend import Action, Snapshot
from envs.web.oracles import Oracle, OracleLost, Script, find_oracle


def find_oracle_of(tasks: Sequence[str]) -> Oracle | None:
    """The oracle of a page with these tasks, or None where one of them has none."""
    found = [find_oracle(task) for task in tasks]
    known = [one for one in found if one is not None]
    if len(known) < len(found):
        return None
    return known[0] if len(known) == 1 else _in_order(known)


def tell(page: Snapshot, seed: int) -> Snapshot:
    """The page with an instruction over all its parts: in their order for an even seed, told backwards for an odd one."""
    if not page.parts:
        return page
    words = [part.instruction.rstrip(" .") + "." for part in page.parts]
    told = " Before that: ".join(reversed(words)) if seed % 2 else " Then: ".join(words)
    return replace(page, instruction=told)


def part_of(page: Snapshot, place: int) -> Snapshot:
    """One part as a page of its own, its elements numbered from 0."""
    start, part = _start_of(page, place), page.parts[place]
    own = page.elements[start : start + part.elements]
    elements = tuple(replace(element, index=number) for number, element in enumerate(own))
    return replace(page, instruction=part.instruction, elements=elements, ended=part.ended, raw_reward=0.0, parts=())


def _start_of(page: Snapshot, place: int) -> int:
    return sum(part.elements for part in page.parts[:place])


def _in_order(oracles: Sequence[Oracle]) -> Oracle:
    def script(page: Snapshot) -> Script:
        for place, oracle in enumerate(oracles):
            running = oracle(part_of(page, place))
            action = _next(running, None)
            while True:
                page = yield _shift(action, _start_of(page, place))
                if page.ended or page.parts[place].ended:
                    break
                action = _next(running, part_of(page, place))

    return script


def _next(running: Script, page: Snapshot | None) -> Action:
    try:
        return next(running) if page is None else running.send(page)
    except StopIteration:
        raise OracleLost("a part is not over at the end of its oracle") from None


def _shift(action: Action, start: int) -> Action:
    return replace(action, element=action.element + start) if action.element >= 0 else action
