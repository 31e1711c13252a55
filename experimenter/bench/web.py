"""How fast the web family is: env steps per second and CPU milliseconds a step in each browser that is installed.

One process, one page, random actions that make sense, resets included, no pictures. CPU time counts the browser's whole
process group and us. `backend` is the browser alone (click the first element, start again every eighth step), `env` the whole
Gymnasium environment with observation and masks. The peer is the Farama environment over Selenium without screenshots, where
selenium and a driver are installed; each is timed in the same run.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from envs.catalog import get_family
from envs.web.backend import Action, Browser, BrowserError, Verb
from envs.web.browsers import list_installed, open_browser
from envs.web.env import WebEnv
from envs.web.fidelity import compare
from envs.web.launch import list_group
from envs.web.miniwob import TASKS, miniwob_site, page_of
from envs.web.survey import Support, load_support, plain, survey_fidelity, survey_task, survey_trusted

RATED = ("click-test", "click-checkboxes", "email-inbox")
_WARM_STEPS = 20
_AGREE = ("same_instruction", "same_elements", "same_outcomes")


def measure(seconds: float = 4.0) -> dict[str, Any]:
    """Measure each rate for about `seconds` of wall time; return rates by browser and task, and the ratios to the peer."""
    measured: dict[str, Any] = {"browsers": {name: _rate_browser(name, seconds) for name in list_installed()}}
    peer = _rate_selenium(seconds)
    if peer:
        measured["selenium"] = peer
        for rates in measured["browsers"].values():
            for task, rate in rates.items():
                rate["ratio_selenium"] = rate["env"]["steps_per_s"] / peer[task]["steps_per_s"]
                rate["cpu_ratio_selenium"] = peer[task]["cpu_ms_per_step"] / rate["env"]["cpu_ms_per_step"]
    support = load_support()
    measured["tasks"] = {
        name: sum(bool(table.get(task, {}).get("runs")) for task in TASKS) for name, table in support.items()
    }
    measured["fidelity"] = count_fidelity(support.get("lightpanda", {}))
    return measured


def count_fidelity(rows: Mapping[str, Mapping[str, object]]) -> dict[str, int]:
    """Tasks on which Lightpanda does as Chromium does, of those that both run, from the stored survey."""
    both = [row for row in rows.values() if row.get("runs")]
    agree = {name: sum(row.get(name) in (None, 1.0) for row in both) for name in _AGREE}
    return {"both_run": len(both), **agree, "trains": sum(bool(row.get("trains")) for row in both)}


def _rate_browser(name: str, seconds: float) -> dict[str, dict[str, dict[str, float]]]:
    return {
        task: {"backend": _rate_backend(name, task, seconds), "env": _rate_env(name, task, seconds)} for task in RATED
    }


def _rate_backend(name: str, task: str, seconds: float) -> dict[str, float]:
    browser: Any = open_browser(name)
    try:
        page = browser.new_page()
        page.open(miniwob_site(), page_of(task))
        count = iter(range(10**9))

        def step() -> None:
            number = next(count)
            if number % 8 == 0:
                page.reset(number, [])
            page.act(Action(Verb.CLICK, 0))

        return _rate(step, lambda: browser.group, seconds)
    finally:
        browser.close()


def _rate_env(name: str, task: str, seconds: float) -> dict[str, float]:
    family = get_family("web")
    browser: Any = open_browser(name)
    env = WebEnv(family.resolve_task({"task": TASKS.index(task)}), browser)
    rng = np.random.default_rng(0)
    try:
        env.reset(seed=0)

        def step() -> None:
            _, _, terminated, truncated, _ = env.step(rng.choice(np.flatnonzero(env.action_masks())))
            if terminated or truncated:
                env.reset()

        return _rate(step, lambda: browser.group, seconds)
    finally:
        env.close()


def _rate(step: Callable[[], None], group: Callable[[], int], seconds: float) -> dict[str, float]:
    """Steps per second, CPU milliseconds a step (ours and the browser's), megabytes of the browser."""
    for _ in range(_WARM_STEPS):
        step()
    members = [psutil.Process(pid) for pid in list_group(group())]
    cpu, own, started, steps = _cpu(members), time.process_time(), time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        step()
        steps += 1
    wall = time.perf_counter() - started
    ours = (time.process_time() - own) * 1e3 / steps
    theirs = (_cpu(members) - cpu) * 1e3 / steps
    memory = sum(one.memory_full_info().pss for one in members if one.is_running()) / 2**20
    return {
        "steps_per_s": steps / wall,
        "cpu_ms_per_step": ours + theirs,
        "own_cpu_ms_per_step": ours,
        "browser_pss_mb": memory,
    }


def _cpu(members: Sequence[psutil.Process]) -> float:
    total = 0.0
    for one in members:
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def _rate_selenium(seconds: float) -> dict[str, dict[str, float]]:
    """The peer's rates by task; empty where selenium, a driver or Chromium is not installed."""
    driver, chrome = shutil.which("chromedriver"), shutil.which("chromium")
    if not (find_spec("selenium") and driver and chrome):
        return {}
    os.environ.update(
        MINIWOB_CHROMEDRIVER=driver, MINIWOB_CHROME_BINARY=chrome, SE_AVOID_STATS="true", SE_OFFLINE="true"
    )
    import gymnasium

    import_module("miniwob")  # registers its environments
    return {task: _rate_peer(gymnasium.make(f"miniwob/{task}-v1"), seconds) for task in RATED}


def _rate_peer(env: Any, seconds: float) -> dict[str, float]:
    """The same kind of play: click a random element, start again after the end or the eighth step."""
    core, rng = env.unwrapped, np.random.default_rng(0)
    core.set_record_screenshots(False)
    observation, _ = core.reset(seed=0)
    state = {"observation": observation, "steps": 0, "seed": 0}

    def step() -> None:
        elements = [e for e in state["observation"]["dom_elements"] if e["ref"] > 0]
        chosen = elements[int(rng.integers(len(elements)))]
        action = core.create_action("CLICK_ELEMENT", ref=chosen["ref"])
        state["observation"], _, ended, _, _ = core.step(action)
        state["steps"] += 1
        if ended or state["steps"] % 8 == 0:
            state["seed"] += 1
            state["observation"], _ = core.reset(seed=state["seed"])

    try:
        root = core.instance.driver.service.process.pid

        def members() -> list[psutil.Process]:
            top = psutil.Process(root)
            return [top, *top.children(recursive=True)]

        for _ in range(_WARM_STEPS):
            step()
        them = members()
        cpu, own, started, steps = _cpu(them), time.process_time(), time.perf_counter(), 0
        while time.perf_counter() - started < seconds:
            step()
            steps += 1
        wall = time.perf_counter() - started
        ours, theirs = (time.process_time() - own) * 1e3 / steps, (_cpu(them) - cpu) * 1e3 / steps
        return {"steps_per_s": steps / wall, "cpu_ms_per_step": ours + theirs, "own_cpu_ms_per_step": ours}
    finally:
        env.close()


def table(measured: dict[str, Any]) -> str:
    """Lay out what `measure` returned for a terminal."""
    lines = [f"{'steps with resets, no pictures':<42}{'steps/s':>10}{'CPU ms/step':>14}"]
    for name, rates in measured["browsers"].items():
        for task, kinds in rates.items():
            for kind in ("backend", "env"):
                one = kinds[kind]
                lines.append(
                    f"{f'{name}, {task}, {kind}':<42}{one['steps_per_s']:>10.0f}{one['cpu_ms_per_step']:>14.2f}"
                )
    for task, one in measured.get("selenium", {}).items():
        lines.append(f"{f'Farama over Selenium, {task}':<42}{one['steps_per_s']:>10.0f}{one['cpu_ms_per_step']:>14.2f}")
    if "selenium" not in measured:
        lines.append("Farama over Selenium: not installed (selenium, chromium-driver)")
    for name, rates in measured["browsers"].items():
        ratios = [
            f"{one['ratio_selenium']:.0f} x ({one['cpu_ratio_selenium']:.0f} x by CPU) on {task}"
            for task, one in rates.items()
            if "ratio_selenium" in one
        ]
        lines += [f"{name}, env, against Farama: {', '.join(ratios)}"] if ratios else []
    lines += [f"{name}: {count} of {len(TASKS)} tasks run" for name, count in measured["tasks"].items()]
    told = measured["fidelity"]
    agree = ", ".join(f"{name.replace('_', ' ')} on {told[name]}" for name in _AGREE)
    lines.append(
        f"of {told['both_run']} tasks in both browsers: {agree}; {told['trains']} may be trained in the fast one"
    )
    return "\n".join(lines)


def write_support(path: Path, tasks: Sequence[str] = (), seeds: Sequence[int] = (0, 1)) -> None:
    """Survey `tasks` (or all) in every installed browser and write them into the file at `path` (all: half an hour)."""
    told: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    real, exam = open_browser("chromium"), open_browser(mode="certify")
    fast = open_browser("lightpanda") if "lightpanda" in list_installed() else None
    try:
        for task in tasks or TASKS:
            true = survey_task(real, task, seeds)
            true = replace(true, trusted=survey_trusted(exam, task, seeds))
            told.setdefault("chromium", {})[task] = plain(true)
            if fast is not None and task in TASKS:
                told.setdefault("lightpanda", {})[task] = plain(_survey_fast(fast, real, task, seeds, true))
            part = path.with_name(path.name + ".part")
            part.write_text(json.dumps(told, indent=0, sort_keys=True) + "\n")
            part.replace(path)
    finally:
        for browser in (real, exam, fast):
            if browser is not None:
                browser.close()


def _survey_fast(fast: Browser, real: Browser, task: str, seeds: Sequence[int], true: Support) -> Support:
    support = survey_task(fast, task, seeds)
    try:
        return survey_fidelity(support, compare(fast, real, task, (*seeds, *(seed + 100 for seed in seeds))), true)
    except BrowserError:
        return replace(support, trains=False)
