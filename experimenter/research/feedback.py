"""Human feedback: what the person said about a session's rewards, as text for the roles and, only on their word, as weights.

Words never change the fitness. Weights do: `experimenter.evaluation.weights.weighted_fitness` counts them in a race. The rows
are the truth: a question is answered when a row or a line of the diary says so, so that a kill at any moment loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envs.task import canonical_digest
from experimenter.errors import UsageError
from experimenter.journal import Journal
from experimenter.records import RewardProgram
from experimenter.research.evidence import RewardEvidence, weigh_rewards
from experimenter.services import Services
from memory.tables import FeedbackRow

MOST_WORDS = 1200
"""Characters of one piece of feedback."""
_MOST_TOLD = 1400
"""Characters of all feedback together: what the prompts quote whole."""
_SHOWN_ARMS = 4
_MOST_REFLECTION = 400


def keep_flags(services: Services) -> None:
    """Write down what was said with `run --feedback` and `--fitness`: it holds for every task of the session."""
    config = services.config
    if config.feedback or config.fitness_weights:
        services.journal.add_feedback("flag", config.feedback, fitness_weights=config.fitness_weights, source="flag")


def feedback_text(services: Services, task_digest: str, generation: int | None = None) -> str:
    """All that the person said about the task up to `generation`, oldest first, as plain lines; empty when they said nothing.

    When there is much of it, the oldest words go first.
    """
    lines = [line for row in _rows(services.journal, task_digest, generation) if (line := _line(row))]
    while len(lines) > 1 and sum(map(len, lines)) > _MOST_TOLD:
        lines = lines[1:]
    return "\n".join(lines)


def fitness_weights(services: Services, task_digest: str, generation: int | None = None) -> dict[str, float]:
    """Weights that the person put on further measures up to `generation`; the newest word on a measure counts, 0 takes it away."""
    weights: dict[str, float] = {}
    for row in _rows(services.journal, task_digest, generation):
        weights |= {str(name): float(value) for name, value in row.fitness_weights.items()}
    return {name: value for name, value in sorted(weights.items()) if value != 0.0}


def open_question(services: Services, task_digest: str, generation: int) -> None:
    """Write down what the search found before `generation`, as the person will be shown it; only when they asked to be asked."""
    if services.config.ask and not is_answered(services, task_digest, generation):
        journal = services.journal
        data = {"task": task_digest, "generation": generation, **_found(journal, task_digest)}
        text = f"waits for a word from you before generation {generation} of reward programs"
        journal.event(f"ask:{task_digest}:{generation}", "ask", text, data)


def is_answered(services: Services, task_digest: str, generation: int) -> bool:
    """True when the person answered this question, or said that the session shall go on without an answer."""
    if services.journal.event_data(_go_on_key(task_digest, generation)) is not None:
        return True
    rows = services.journal.feedback(task_digest)
    return any(row.source == "answer" and row.generation == generation for row in rows)


def go_on(journal: Journal) -> None:
    """Close the session's open question without an answer."""
    if question := open_question_of(journal):
        key = _go_on_key(question["task"], question["generation"])
        journal.event(key, "feedback", "went on without an answer")


def answer(journal: Journal, text: str, weights: Mapping[str, float]) -> int:
    """Store an answer for the open question, or for the next generation when none is open; returns that generation."""
    words = " ".join(text.split())
    if not words and not weights:
        raise UsageError('the answer is empty: say what to change, such as "less energy, keep the torso upright".')
    if len(words) > MOST_WORDS:
        raise UsageError(
            f"the answer has {len(words)} characters; at most {MOST_WORDS} are read. Say it in fewer words."
        )
    task, generation = _next_generation(journal)
    key = f"answer:{canonical_digest([task, generation, words, dict(weights)])}"
    journal.add_feedback(key, words, task_digest=task, generation=generation, fitness_weights=weights, source="answer")
    said = ", ".join([f'"{words}"'] * bool(words) + [f"fitness {name} x {value:g}" for name, value in weights.items()])
    journal.event(key, "feedback", f"feedback for generation {generation}: {said}")
    return generation


def open_question_of(journal: Journal) -> dict[str, Any] | None:
    """The question that the session waits for (task, generation, and what was found so far), or None."""
    if journal.session().state != "waiting":
        return None
    asked = journal.events("ask")
    return dict(asked[-1].data) if asked else None


def _next_generation(journal: Journal) -> tuple[str, int]:
    """Task and generation that hear next of what is said now; ("", 0), every task to come, between tasks."""
    if question := open_question_of(journal):
        return str(question["task"]), int(question["generation"])
    running = [row.task_digest for row in journal.tasks() if row.state == "running"]
    if not running:
        return "", 0
    return running[0], max((row.generation + 1 for row in journal.rewards(running[0])), default=0)


def _rows(journal: Journal, task_digest: str, generation: int | None) -> list[FeedbackRow]:
    return [row for row in journal.feedback(task_digest) if generation is None or row.generation <= generation]


def _line(row: FeedbackRow) -> str:
    words = clean(row.text, MOST_WORDS)
    counted = ", ".join(f"{name} x {float(value):g}" for name, value in row.fitness_weights.items())
    parts = [words] * bool(words) + ([f"(from now on the fitness also counts: {counted})"] if counted else [])
    when = f"before generation {row.generation}" if row.generation else "from the start"
    return f"- {when}: {' '.join(parts)}" if parts else ""


def clean(text: str, limit: int) -> str:
    """One line of printable characters, at most `limit` of them."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return flat[:limit]


def _found(journal: Journal, task_digest: str) -> dict[str, Any]:
    """The best arms so far in numbers, the further measures of the best, and the last reflection."""
    rewards = journal.rewards(task_digest)
    evidence = weigh_rewards(rewards, journal.jobs(task_digest))
    arms = [(row.fate, RewardProgram.model_validate(row.payload), evidence[row.reward_digest]) for row in rewards]
    tried = [arm for arm in arms if arm[2].fitness_iqm is not None]
    tried.sort(key=lambda arm: (arm[0] != "won", -arm[2].steps, -(arm[2].fitness_iqm or 0.0)))
    reflections = [row.reflection for row in journal.verdicts(task_digest) if row.reflection]
    return {
        "arms": [_arm(program, fate, one) for fate, program, one in tried[:_SHOWN_ARMS]],
        "measures": tried[0][2].measures if tried else {},
        "reflection": clean(reflections[-1], _MOST_REFLECTION) if reflections else "",
    }


def _arm(program: RewardProgram, fate: str, evidence: RewardEvidence) -> dict[str, Any]:
    names = ("fitness_iqm", "fitness_low", "fitness_high", "success_rate", "lift", "steps")
    numbers = {name: getattr(evidence, name) for name in names}
    return {"label": program.label, "digest": program.digest, "fate": fate, **numbers}


def _go_on_key(task_digest: str, generation: int) -> str:
    return f"go-on:{task_digest}:{generation}"
