# ruff: noqa
# mypy: ignore-errors
import numpy


def compute_reward(state, action, next_state):
    speed = numpy.tanh(next_state["velocity"])
    jerk = -0.01 * numpy.abs(next_state["velocity"] - state["velocity"])
    terms = {"speed": speed, "jerk": jerk}
    return numpy.add(speed, jerk), {**terms}
