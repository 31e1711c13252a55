"""Cosines and sines of whole rows of angles at once; `math` has them one by one, at ten times the cost."""

from __future__ import annotations

import math

from envs.quantum.compiled import kernel
from envs.quantum.paulis import Float64


@kernel
def turn_angles(angles: Float64, count: int, factor: float, cosines: Float64, sines: Float64) -> None:
    """Cosine and sine of `factor` times each angle, to about one unit in the last place up to a million radians.

    Reduction by pi/2 in three parts (Cody and Waite), then the minimax polynomials of fdlibm, without branches, so that
    the compiler works on eight at a time.
    """
    for i in range(count):
        whole = angles[i] * factor
        quarter = math.floor(whole * 0.6366197723675814 + 0.5)
        x = (
            (whole - quarter * 1.5707963267341256) - quarter * 6.077100506303966e-11
        ) - quarter * 2.0222662487959506e-21
        square = x * x
        sine = 1.58969099521155010221e-10
        sine = -2.50507602534068634195e-08 + square * sine
        sine = 2.75573137070700676789e-06 + square * sine
        sine = -1.98412698298579493134e-04 + square * sine
        sine = 8.33333333332248946124e-03 + square * sine
        sine = x + x * square * (-1.66666666666666324348e-01 + square * sine)
        cosine = -1.13596475577881948265e-11
        cosine = 2.08757232129817482790e-09 + square * cosine
        cosine = -2.75573143513906633035e-07 + square * cosine
        cosine = 2.48015872894767294178e-05 + square * cosine
        cosine = -1.38888888888741095749e-03 + square * cosine
        cosine = 1.0 - 0.5 * square + square * square * (4.16666666666666019037e-02 + square * cosine)
        turned = int(quarter)
        odd = turned & 1 != 0
        one, two = (cosine, sine) if odd else (sine, cosine)
        sines[i] = -one if turned & 2 != 0 else one
        cosines[i] = -two if (turned + 1) & 2 != 0 else two
