"""What the audit is told: a learning curve, and optionally episodes of policies with what the program pays for them.

Records only. The curve is always there; every further sample makes the audit sharper and none is required.
"""

from __future__ import annotations

from pydantic import Field

from experimenter.records import CurvePoint, CurveState, Record

OWN, RANDOM = "own", "random"
"""The policy that was trained on the program, and one that acts at random; other names are other arms of the race."""
TASK = "task"
"""The undisturbed world; other names are perturbed ones."""


class Sample(Record):
    """Episodes of one policy in one world; the tuples go together."""

    policy: str
    """`own`, `random`, or the label of another arm of the same race at equal steps, such as `native`."""
    world: str = TASK
    returns: tuple[float, ...] = ()
    """What the audited program pays for each episode; empty when it was not asked."""
    fitness: tuple[float, ...]
    success: tuple[bool, ...] = ()
    native: tuple[float, ...] = ()
    """Native return of each episode."""
    length: tuple[int, ...] = ()
    terminated: tuple[bool, ...] = ()
    """Whether the episode ended by the task's own rule."""
    terms: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    """Term -> its sum over each episode."""
    measures: dict[str, float] = Field(default_factory=dict)
    """How the policy behaved: see `rewards.audit_behaviour`, and the family's own further measures as `extra_<name>`."""


class AuditInput(Record):
    """Everything that is known about one training run on one reward program."""

    family: str
    horizon: int
    curve: tuple[CurvePoint, ...]
    samples: tuple[Sample, ...] = ()
    code_state: CurveState | None = None
    """What the judge that reads numbers said."""
    picture_state: CurveState | None = None
    """What a model that saw frames of the policy said."""
    reward_is_fitness: bool = False
    """True for the baseline arm whose reward is the fitness itself: it cannot be hacked."""

    def find(self, policy: str, world: str = TASK) -> Sample | None:
        """The sample of a policy in a world, when there is one."""
        return next((s for s in self.samples if s.policy == policy and s.world == world), None)

    def paid(self, policy: str, world: str = TASK) -> Sample | None:
        """Like `find`, for a sample of which it is known what the program pays."""
        found = self.find(policy, world)
        return found if found is not None and found.returns else None
