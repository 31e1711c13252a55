"""Airframes as data, each with its source. The published Crazyflies disagree (mass, inertia, thrust, lag), so a name fixes one set.

To add one: append an `Airframe` to `AIRFRAMES`; its position in the tuple is the value of the task parameter `airframe`.
"""

from __future__ import annotations

import difflib

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class Airframe(BaseModel):
    """One X-layout quadrotor. All masses, lengths and times are positive."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    mass_kg: float = Field(gt=0)
    inertia_kg_m2: tuple[float, float, float]
    """Principal moments about the body's x, y, z axes."""
    max_thrust_n: float = Field(gt=0)
    """Of one motor."""
    torque_ratio_m: float = Field(gt=0)
    """Reaction torque over thrust."""
    lag_s: float = Field(gt=0)
    """Time constant of the first-order lag of the rotor speed."""
    motor_x_m: float = Field(gt=0)
    motor_y_m: float = Field(gt=0)
    """Motors stand at +-x, +-y."""
    radius_m: float = Field(gt=0)
    """Contact radius: centre to motor."""
    drag_n_s_per_m: float = Field(ge=0)
    """Linear drag against the air at hover rotor speed (used when drag or wind is on)."""
    source: str

    @property
    def thrust_to_weight(self) -> float:
        """Full thrust of four motors over weight."""
        return 4 * self.max_thrust_n / (self.mass_kg * 9.81)


_DRAG = 5.6e-3
"""Four rotors at about 1520 rad/s times 9.18e-7 N s/m per rad/s (Foerster, "System identification of the Crazyflie 2.0", 2015)."""

AIRFRAMES: tuple[Airframe, ...] = (
    Airframe(
        name="crazyflie-swarm",
        mass_kg=0.028,
        inertia_kg_m2=(1.367e-5, 1.436e-5, 2.656e-5),
        max_thrust_n=0.1305,
        torque_ratio_m=0.006,
        lag_s=0.0375,
        motor_x_m=0.0325,
        motor_y_m=0.0325,
        radius_m=0.04596,
        drag_n_s_per_m=_DRAG,
        source="quad-swarm-rl (arXiv 2309.13285), built from parts, thrust-to-weight 1.9",
    ),
    Airframe(
        name="crazyflie-l2f",
        mass_kg=0.027,
        inertia_kg_m2=(3.85e-6, 3.85e-6, 5.9675e-6),
        max_thrust_n=0.1488,
        torque_ratio_m=0.005965,
        lag_s=0.15,
        motor_x_m=0.028,
        motor_y_m=0.028,
        radius_m=0.0396,
        drag_n_s_per_m=_DRAG,
        source="Learning to Fly in Seconds (arXiv 2311.13081): 3.16e-10 N/rpm^2 up to 21,702 rpm, thrust-to-weight 2.25",
    ),
    Airframe(
        name="crazyflie-pybullet",
        mass_kg=0.027,
        inertia_kg_m2=(1.4e-5, 1.4e-5, 2.17e-5),
        max_thrust_n=0.1490,
        torque_ratio_m=0.02514,
        lag_s=0.0375,
        motor_x_m=0.0281,
        motor_y_m=0.0281,
        radius_m=0.0397,
        drag_n_s_per_m=_DRAG,
        source="gym-pybullet-drones cf2x: kf 3.16e-10, km 7.94e-12, thrust-to-weight 2.25; it has no lag, ours is the swarm's",
    ),
)


def get_airframe(name: str) -> Airframe:
    """Find an airframe by name; raises `ValueError` with the nearest match."""
    found = {frame.name: frame for frame in AIRFRAMES}
    if name in found:
        return found[name]
    near = difflib.get_close_matches(name, found, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"unknown airframe {name!r}. {hint}Known: {', '.join(found)}.")


def make_airframe(base: str, **changes: object) -> Airframe:
    """Copy the airframe called `base` with changes; raises `ValueError` with one line for a value that cannot be."""
    try:
        made = Airframe.model_validate({**get_airframe(base).model_dump(), **changes})
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"airframe: {first['loc'][0]} = {first['input']!r} is refused: {first['msg']}.") from None
    if min(made.inertia_kg_m2) <= 0:
        raise ValueError(f"airframe: inertia_kg_m2 = {made.inertia_kg_m2} must be positive in all three axes.")
    if made.thrust_to_weight <= 1:
        raise ValueError(f"airframe: thrust-to-weight {made.thrust_to_weight:.2f} cannot fly; it must be above 1.")
    return made
