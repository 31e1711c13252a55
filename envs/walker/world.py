"""One walker in a Box2D world: build it on a ground, advance it one control step, read its raw numbers.

Bodies, joints and solver settings are those of Gymnasium's BipedalWalker-v3, and bodies are created and destroyed in its
order: the order decides in which sequence the solver meets contacts, hence the last bits of every trajectory. Like
Gymnasium, `build` reuses the Box2D world; a new `World` starts with a clean history.
"""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import Any

from envs.walker.terrain import BASE_M, SCALE, START_M, Ground

with warnings.catch_warnings():
    # Box2D's module raises a DeprecationWarning while it loads and crashes the interpreter where warnings are errors
    warnings.simplefilter("ignore", DeprecationWarning)
    from Box2D import (
        b2BodyDef,
        b2ContactListener,
        b2EdgeShape,
        b2FixtureDef,
        b2PolygonShape,
        b2RevoluteJointDef,
        b2World,
    )

FPS = 50
SPEED_HIP, SPEED_KNEE = 4.0, 6.0
TORQUE = 80.0
VELOCITY_ITERATIONS, POSITION_ITERATIONS = 180, 60
LEG_DOWN, LEG_W, LEG_H = -8 / SCALE, 8 / SCALE, 34 / SCALE
START_Y = BASE_M + 2 * LEG_H
HULL_CORNERS = [(x / SCALE, y / SCALE) for x, y in [(-30, 9), (6, 9), (34, 1), (34, -8), (-30, -8)]]
UPPER_BOX, LOWER_BOX = (LEG_W / 2, LEG_H / 2), (0.8 * LEG_W / 2, LEG_H / 2)
GROUND_BITS, WALKER_BITS = 0x0001, 0x0020

RAW: tuple[str, ...] = ("angle", "spin", "vx", "vy", "hip1", "hip1_speed", "knee1", "knee1_speed", "contact1")
RAW += ("hip2", "hip2_speed", "knee2", "knee2_speed", "contact2", "x", "y", "down")
"""Order of the numbers that `World.read` gives: radians, metres, seconds; contacts and down are 0 or 1."""

_LEGS, _HULL = (0, 1), 2
"""Marks on fixtures by which the contact listener knows them."""


class _Contacts(b2ContactListener):  # type: ignore[misc]  # Box2D has no types
    """Keeps `touching` = [leg 1, leg 2, hull]: a leg follows its last event (as in Gymnasium), the hull never recovers."""

    def __init__(self) -> None:
        super().__init__()
        self.touching = [0.0, 0.0, 0.0]

    def BeginContact(self, contact: Any) -> None:
        for fixture in (contact.fixtureA, contact.fixtureB):
            if (mark := fixture.userData) is not None:
                self.touching[mark] = 1.0

    def EndContact(self, contact: Any) -> None:
        for fixture in (contact.fixtureA, contact.fixtureB):
            if (mark := fixture.userData) in _LEGS:
                self.touching[mark] = 0.0

    def PreSolve(self, contact: Any, old_manifold: Any) -> None:
        """Do nothing, cheaply: without this override each call goes back into C++."""

    def PostSolve(self, contact: Any, impulse: Any) -> None:
        """Do nothing, cheaply."""


def _walker_part(density: float, mark: int | None, shape: Any, **more: float) -> Any:
    return b2FixtureDef(
        shape=shape,
        density=density,
        restitution=0.0,
        categoryBits=WALKER_BITS,
        maskBits=GROUND_BITS,
        userData=mark,
        **more,
    )


class World:
    """A walker on a ground. Call `build` before anything else."""

    def __init__(self) -> None:
        self._world = b2World()
        self._contacts = _Contacts()
        self._edge = b2EdgeShape(vertices=[(0, 0), (1, 1)])
        self._edge_fixture = b2FixtureDef(shape=self._edge, friction=2.5, categoryBits=GROUND_BITS)
        self._static = b2BodyDef()
        self._hull_fixture = _walker_part(5.0, _HULL, b2PolygonShape(vertices=HULL_CORNERS), friction=0.1)
        self._upper_fixture = _walker_part(1.0, None, b2PolygonShape(box=UPPER_BOX))
        self._lower_fixtures = [_walker_part(1.0, mark, b2PolygonShape(box=LOWER_BOX)) for mark in _LEGS]
        self._ground: list[Any] = []
        self._walker: list[Any] = []
        self._joints: list[Any] = []

    def build(self, ground: Ground, push: float) -> None:
        """Put a fresh walker on `ground`; `push` is the horizontal force in newtons on its hull in the first step."""
        self._destroy()
        self._contacts.touching = [0.0, 0.0, 0.0]
        self._world.contactListener = self._contacts
        self._lay(ground)
        self._assemble(push)

    def _destroy(self) -> None:
        self._world.contactListener = None
        destroy = self._world.DestroyBody
        for body in reversed(self._ground):
            destroy(body)
        for body in self._walker:
            destroy(body)

    def _lay(self, ground: Ground) -> None:
        create, edge, static, fixture = self._world.CreateBody, self._edge, self._static, self._edge_fixture
        points = list(zip(ground.x, ground.y, strict=True))
        self._ground = []
        for left, right in pairwise(points):
            edge.vertex1, edge.vertex2 = left, right
            body = create(static)
            body.CreateFixture(fixture)
            self._ground.append(body)

    def _assemble(self, push: float) -> None:
        hull = self._world.CreateDynamicBody(position=(START_M, START_Y), fixtures=self._hull_fixture)
        hull.ApplyForceToCenter((push, 0), True)
        self._walker, self._joints = [hull], []
        for mark, side in zip(_LEGS, (-1, 1), strict=True):
            upper = self._limb(side, START_Y - LEG_H / 2 - LEG_DOWN, self._upper_fixture)
            self._join(hull, upper, LEG_DOWN, (-0.8, 1.1), side)
            lower = self._limb(side, START_Y - LEG_H * 3 / 2 - LEG_DOWN, self._lower_fixtures[mark])
            self._join(upper, lower, -LEG_H / 2, (-1.6, -0.1), 1)
        self._hull, self._position, self._velocity = hull, hull.position, hull.linearVelocity

    def _limb(self, side: int, y: float, fixture: Any) -> Any:
        limb = self._world.CreateDynamicBody(position=(START_M, y), angle=side * 0.05, fixtures=fixture)
        self._walker.append(limb)
        return limb

    def _join(self, above: Any, below: Any, anchor: float, limits: tuple[float, float], speed: int) -> None:
        definition = b2RevoluteJointDef(
            bodyA=above,
            bodyB=below,
            localAnchorA=(0, anchor),
            localAnchorB=(0, LEG_H / 2),
            enableMotor=True,
            enableLimit=True,
            maxMotorTorque=TORQUE,
            motorSpeed=speed,
            lowerAngle=limits[0],
            upperAngle=limits[1],
        )
        self._joints.append(self._world.CreateJoint(definition))

    def advance(self, action: list[float]) -> None:
        """Step the physics by 1/50 s. `action` is [hip 1, knee 1, hip 2, knee 2] in [-1, 1]: sign of speed, size of torque."""
        for joint, value, speed in zip(
            self._joints, action, (SPEED_HIP, SPEED_KNEE, SPEED_HIP, SPEED_KNEE), strict=True
        ):
            joint.motorSpeed = speed * ((value > 0) - (value < 0))
            joint.maxMotorTorque = TORQUE * abs(value)
        self._world.Step(1.0 / FPS, VELOCITY_ITERATIONS, POSITION_ITERATIONS)

    def read(self) -> list[float]:
        """Read the raw numbers, in the order of `RAW`."""
        # position and velocity are live references into the body; fetching them anew each step is what costs
        hull, position, velocity = self._hull, self._position, self._velocity
        hip1, knee1, hip2, knee2 = self._joints
        leg1, leg2, down = self._contacts.touching
        return [
            hull.angle, hull.angularVelocity, velocity.x, velocity.y,
            hip1.angle, hip1.speed, knee1.angle, knee1.speed, leg1,
            hip2.angle, hip2.speed, knee2.angle, knee2.speed, leg2,
            position.x, position.y, down,
        ]  # fmt: skip

    def outlines(self) -> list[list[tuple[float, float]]]:
        """Corners in metres of hull, upper and lower leg 1, upper and lower leg 2, for drawing."""
        return [[tuple(body.transform * corner) for corner in body.fixtures[0].shape.vertices] for body in self._walker]
