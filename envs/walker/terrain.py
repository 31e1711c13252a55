"""The ground as a polyline: task parameters and a random generator in, vertices out. Pure; knows no physics.

Without obstacles the generator is drawn from in the order of Gymnasium's BipedalWalker-v3, so that equal generators give
equal ground. Obstacles follow the style of its hardcore version (pits four steps deep, stair treads four steps wide) and
the parameter ranges of TeachMyAgent (Romac et al., ICML 2021: stumps) and ACCEL (Parker-Holder et al., ICML 2022: the rest).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from envs.family import Params

SCALE = 30.0
"""Pixels of the original drawing per metre."""
STEP_M = 14 / SCALE
"""One terrain step in metres: the unit of all obstacle sizes."""
LENGTH = 200
"""Track length in terrain steps."""
BASE_M = 400 / SCALE / 4
"""Height of the start pad in metres."""
START_PAD = 20
"""Flat steps at the start; the walker begins in their middle."""
END_PAD = 10
"""Steps after the finish."""
START_M = STEP_M * START_PAD / 2
FINISH_M = (LENGTH - END_PAD) * STEP_M
CLOUD_DRAWS = 10 * (1 + 2 * 5)
"""Random numbers that Gymnasium spends on its clouds; drawn and dropped to stay in step with it."""

STUMP_STD, STUMP_FLOOR, STUMP_WIDTH = 0.1, 0.05, 1.0
PIT_DEPTH, TREAD_WIDTH = 4.0, 4.0
SPACING_FLOOR = 0.01


class WalkerParams(Params):
    """Task parameters of the walker. Lengths are in terrain steps of 14/30 m; the defaults are Gymnasium's own ground."""

    stump_height: float = Field(default=0.0, ge=0, le=3)
    """Mean height of the stumps (per stump normal, standard deviation 0.1); 0 means no stumps."""
    stump_spacing: float = Field(default=6.0, ge=0, le=6)
    """Gap between neighbouring stumps; says nothing when there are none."""
    roughness: float = Field(default=0.0, ge=0, le=10)
    """Extra undulation: 0 is the gentle stock ground, r multiplies its random slope changes by 1 + r."""
    pit_gap: float = Field(default=0.0, ge=0, le=10)
    """Width of the pits; 0 means no pits."""
    stair_height: float = Field(default=0.0, ge=0, le=5)
    """Height of one stair; 0 means no stairs."""
    stair_steps: int = Field(default=3, ge=0, le=9)
    """Stairs in a flight; says nothing when stair_height is 0."""

    @property
    def obstacles(self) -> tuple[str, ...]:
        """Name the kinds of obstacle that this ground has."""
        present = {
            "stump": self.stump_height > 0,
            "pit": self.pit_gap > 0,
            "stairs": self.stair_height > 0 and self.stair_steps > 0,
        }
        return tuple(kind for kind, there in present.items() if there)


@dataclass(frozen=True)
class Ground:
    """Vertices of the ground from left to right, in metres; x never decreases, a vertical wall repeats it."""

    x: list[float]
    y: list[float]


def make_ground(params: WalkerParams, rng: np.random.Generator) -> Ground:
    """Draw one track for `params`."""
    if params.obstacles:
        return _Course(params, rng).build()
    return _open_ground(1.0 + params.roughness, rng)


def _open_ground(amplitude: float, rng: np.random.Generator) -> Ground:
    heights: list[float] = []
    y, velocity, run = BASE_M, 0.0, START_PAD
    while len(heights) < LENGTH:
        first = len(heights)
        if first:  # each run but the start pad opens with a level step
            heights.append(y)
        for noise in _noise(first, min(first + run, LENGTH), rng):
            velocity = _slope(velocity, y, amplitude * noise)
            y += velocity
            heights.append(y)
        if first + run <= LENGTH:
            run = int(rng.integers(5, 10))
    return Ground([i * STEP_M for i in range(LENGTH)], heights)


def _noise(first: int, end: int, rng: np.random.Generator) -> list[float]:
    """Draw the kicks of the steps that rise in one run, all at once; the start pad has none."""
    if first == 0:
        return [0.0] * end
    kicks: list[float] = rng.uniform(-1, 1, end - first - 1).tolist()
    return kicks


def _slope(velocity: float, y: float, noise: float) -> float:
    """Rise of the next step: it decays, pulls back to the base height and takes a random kick (`noise` in [-1, 1])."""
    velocity = 0.8 * velocity + 0.01 * ((y < BASE_M) - (y > BASE_M))
    return velocity + noise / SCALE


class _Course:
    """Walks from left to right laying grass and obstacles; x and y in terrain steps and metres."""

    def __init__(self, params: WalkerParams, rng: np.random.Generator) -> None:
        self.params, self.rng = params, rng
        self.at, self.y, self.velocity = 0.0, BASE_M, 0.0
        self.xs, self.ys = [0.0], [BASE_M]
        self.lay = {"stump": self.stump, "pit": self.pit, "stairs": self.stairs}
        self.length = {
            "stump": STUMP_WIDTH,
            "pit": params.pit_gap,
            "stairs": TREAD_WIDTH * params.stair_steps,
        }

    def build(self) -> Ground:
        kinds = self.params.obstacles
        for _ in range(START_PAD):
            self.forward(1.0)
        while True:
            kind = kinds[int(self.rng.integers(len(kinds)))]
            if self.at + self.length[kind] > LENGTH - END_PAD - 2:
                break
            self.lay[kind]()
            self.grass(self.gap(kinds))
        self.grass(LENGTH - 1 - self.at)
        return Ground(self.xs, self.ys)

    def gap(self, kinds: tuple[str, ...]) -> float:
        """Steps of ground after an obstacle: the stumps' spacing where there is nothing else, 5 to 9 otherwise."""
        if kinds == ("stump",):
            return max(SPACING_FLOOR, self.params.stump_spacing)
        return int(self.rng.integers(5, 10))

    def forward(self, steps: float, rise_m: float = 0.0) -> None:
        self.at += steps
        self.y += rise_m
        self.xs.append(self.at * STEP_M)
        self.ys.append(self.y)

    def grass(self, steps: float) -> None:
        """Lay undulating ground, one terrain step at a time, the remainder last."""
        steps = float(min(steps, LENGTH - 1 - self.at))
        while steps > 1e-6:
            piece = min(1.0, steps)
            noise = (1.0 + self.params.roughness) * float(self.rng.uniform(-1, 1))
            self.velocity = _slope(self.velocity, self.y, noise)
            self.forward(piece, piece * self.velocity)
            steps -= piece

    def stump(self) -> None:
        height = max(STUMP_FLOOR, float(self.rng.normal(self.params.stump_height, STUMP_STD))) * STEP_M
        self.forward(0.0, height)
        self.forward(STUMP_WIDTH)
        self.forward(0.0, -height)

    def pit(self) -> None:
        self.forward(0.0, -PIT_DEPTH * STEP_M)
        self.forward(self.params.pit_gap)
        self.forward(0.0, PIT_DEPTH * STEP_M)

    def stairs(self) -> None:
        """Lay one flight, up or down at random, but back towards the base height when far from it."""
        up = self.rng.random() > 0.5
        rise = self.params.stair_height * STEP_M
        if abs(self.y - BASE_M) > rise:
            up = self.y < BASE_M
        for _ in range(self.params.stair_steps):
            self.forward(0.0, rise if up else -rise)
            self.forward(TREAD_WIDTH)
        self.velocity = 0.0
