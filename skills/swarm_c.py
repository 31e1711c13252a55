"""A drone policy's features and network (`swarm_policy.py`) as C99: one function from what a drone senses to its action.

No allocation, no dependency but math.h, the same order of sums as the NumPy code; compile without contraction to fused multiply-add (the default of
`-std=c99`) for the same digits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from skills.c_source import DENSE, array
from skills.swarm_policy import NEAR_M, NEIGHBOUR, OBSTACLE, OWN, RAW_GRID, RAW_NEIGHBOUR, RAW_OWN, Tensors

_FEATURES = """static float NAME_activate(float x) { return tanhf(x); }

static float NAME_length(const float *v) { return sqrtf(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]); }

/* r is the rotation matrix, row after row: turns world axes into body axes */
static void NAME_turn(const float *r, const float *v, float *out) {
    for (int i = 0; i < 3; i++) out[i] = v[0] * r[i] + v[1] * r[3 + i] + v[2] * r[6 + i];
}

/* observation: to goal 3, velocity 3, rotation 9, body rates 3, height 1, then neighbours, grid, past actions */
static void NAME_own(const float *o, float *out) {
    const float *r = o + 6;
    float goal[3];
    NAME_turn(r, o, goal);
    float distance = NAME_length(goal);
    for (int i = 0; i < 3; i++) {
        out[i] = 2.0f * goal[i] / fmaxf(distance, 1.0f);
        out[7 + i] = 3.0f * r[6 + i] - (i == 2 ? 3.0f : 0.0f);
        out[10 + i] = 0.5f * o[15 + i];
    }
    out[3] = log1pf(distance);
    NAME_turn(r, o + 3, out + 4);
    out[13] = fminf(o[18], 2.0f) - 1.0f;
}

/* relative position 3, relative velocity 3, both fading with distance */
static void NAME_near(const float *r, const float *o, float *out) {
    float position[3], velocity[3];
    NAME_turn(r, o, position);
    NAME_turn(r, o + 3, velocity);
    float distance = NAME_length(position) + 1e-6f;
    float weight = 2.0f * expf(-distance / FADE);
    for (int i = 0; i < 3; i++) {
        out[i] = position[i] * (weight / distance);
        out[3 + i] = velocity[i] * weight;
    }
}

/* g: distances to the nearest cylinder at 3 x 3 points; distance, closeness, gradient and curvature of that field */
static void NAME_grid(const float *r, const float *g, float *out) {
    float close = expf(-2.0f * fminf(fmaxf(g[4], 0.0f), 10.0f));
    float gx = 10.0f * close * (g[7] - g[1]), gy = 10.0f * close * (g[5] - g[3]);
    float hxx = 30.0f * (g[7] - 2.0f * g[4] + g[1]), hyy = 30.0f * (g[5] - 2.0f * g[4] + g[3]);
    float hxy = 7.5f * (g[8] - g[6] - g[2] + g[0]);
    float a = r[0], b = r[1], c = r[3], d = r[4];
    out[0] = fminf(g[4], 2.0f) - 1.0f;
    out[1] = 2.0f * close;
    for (int i = 0; i < 3; i++) out[2 + i] = r[i] * gx + r[3 + i] * gy;
    out[5] = a * a * hxx + 2.0f * a * c * hxy + c * c * hyy;
    out[6] = b * b * hxx + 2.0f * b * d * hxy + d * d * hyy;
    out[7] = a * b * hxx + (a * d + b * c) * hxy + c * d * hyy;
}
"""


def write_swarm(spec: Mapping[str, Any], tensors: Tensors, name: str) -> str:
    """The C source of an undamaged drone policy: `void NAME_act(const float *observation, float *action)`, one drone a call."""
    neighbours, history, count = (int(spec[key]) for key in ("neighbours", "history", "layers"))
    wide = RAW_OWN + RAW_NEIGHBOUR * neighbours + RAW_GRID + 4 * history
    features = _FEATURES.replace("FADE", f"{NEAR_M!r}f")
    if neighbours == 0:
        features = features[: features.index("/* relative position")] + features[features.index("/* g: ") :]
    parts = [
        "/* A trained drone policy as one function; made from its weights, not meant to be edited. */",
        "#include <math.h>",
        "",
        f"enum {{ {name.upper()}_OBSERVATIONS = {wide}, {name.upper()}_ACTIONS = {len(spec['low'])} }};",
        "",
        *(array(f"{name}_{key}", tensors[key]) for key in sorted(tensors)),
        *(array(f"{name}_{side}", np.asarray(spec[side], np.float32)) for side in ("low", "high")),
        (features + "\n" + DENSE).replace("NAME", name),
        f"void {name}_act(const float *observation, float *action) {{",
        *(f"    {line}" for line in _body(spec, tensors, name, (neighbours, history, count))),
        "}",
        "",
    ]
    return "\n".join(parts)


def _body(spec: Mapping[str, Any], tensors: Tensors, name: str, sizes: tuple[int, int, int]) -> list[str]:
    neighbours, history, count = sizes
    own, grid = OWN + 4 * history, RAW_OWN + RAW_NEIGHBOUR * neighbours
    widths = [tensors["w0"].shape[1], *(len(tensors[f"b{i}"]) for i in range(count))]
    lines = [
        f"float a[{max(widths)}], c[{max(widths)}];",
        f"{name}_own(observation, a);",
        *(
            [f"for (int i = 0; i < {4 * history}; i++) a[{OWN} + i] = observation[{grid + RAW_GRID} + i];"]
            * (history > 0)
        ),
        *_encoder(str(spec["kind"]), tensors, name, own, neighbours),
    ]
    here, there = "a", "c"
    for i in range(count):
        dense = f"{name}_dense({name}_w{i}, {name}_b{i}, {here}, {there}, {widths[i]}, {widths[i + 1]}, {int(i < count - 1)});"
        lines.append(dense)
        here, there = there, here
    clip = f"fminf(fmaxf({here}[i], {name}_low[i]), {name}_high[i])"
    return [*lines, f"for (int i = 0; i < {widths[-1]}; i++) action[i] = {clip};"]


def _encoder(kind: str, tensors: Tensors, name: str, own: int, neighbours: int) -> list[str]:
    """Fill `a` behind the drone's own features; `a` and `c` hold the widest layer."""
    raw, turned = f"observation + {RAW_OWN} + {RAW_NEIGHBOUR} * k", "observation + 6"
    seen = f"observation + {RAW_OWN + RAW_NEIGHBOUR * neighbours}"
    if kind == "swarm_mlp":
        near = f"for (int k = 0; k < {neighbours}; k++) {name}_near({turned}, {raw}, a + {own} + {NEIGHBOUR} * k);"
        return [*([near] * (neighbours > 0)), f"{name}_grid({turned}, {seen}, a + {own + NEIGHBOUR * neighbours});"]
    token = len(tensors["neighbour_b"])
    lines = [
        f"float around[{NEIGHBOUR}], wall[{OBSTACLE}], tokens[{neighbours + 1}][{token}];",
        f"for (int k = 0; k < {neighbours}; k++) {{",
        f"    {name}_near({turned}, {raw}, around);",
        f"    {name}_dense({name}_neighbour_w, {name}_neighbour_b, around, tokens[k], {NEIGHBOUR}, {token}, 1);",
        "}",
        f"{name}_grid({turned}, {seen}, wall);",
        f"{name}_dense({name}_obstacle_w, {name}_obstacle_b, wall, tokens[{neighbours}], {OBSTACLE}, {token}, 1);",
    ]
    if kind == "deep_set":
        return [
            *lines,
            f"for (int j = 0; j < {token}; j++) {{",
            "    float sum = 0.0f;",
            f"    for (int k = 0; k < {neighbours}; k++) sum += tokens[k][j];",
            f"    a[{own} + j] = sum / {neighbours}.0f;",
            f"    a[{own + token} + j] = tokens[{neighbours}][j];",
            "}",
        ]
    return [*lines, *_attention(name, own, neighbours + 1, token)]


def _attention(name: str, own: int, tokens: int, token: int) -> list[str]:
    """One head from the drone over its tokens, the largest score taken off before the exponential."""
    none = f"{name}_zero"
    return [
        f"static const float {none}[{token}] = {{0.0f}};",
        f"float query[{token}], keys[{token}], values[{tokens}][{token}], weights[{tokens}], most = 0.0f, total = 0.0f;",
        f"{name}_dense({name}_query_w, {none}, a, query, {own}, {token}, 0);",
        f"for (int k = 0; k < {tokens}; k++) {{",
        f"    {name}_dense({name}_key_w, {none}, tokens[k], keys, {token}, {token}, 0);",
        f"    {name}_dense({name}_value_w, {none}, tokens[k], values[k], {token}, {token}, 0);",
        "    weights[k] = 0.0f;",
        f"    for (int j = 0; j < {token}; j++) weights[k] += keys[j] * query[j];",
        f"    weights[k] /= {math.sqrt(token)!r}f;",
        "    if (k == 0 || weights[k] > most) most = weights[k];",
        "}",
        f"for (int k = 0; k < {tokens}; k++) total += weights[k] = expf(weights[k] - most);",
        f"for (int j = 0; j < {token}; j++) {{",
        f"    a[{own} + j] = tokens[{tokens - 1}][j];",
        f"    a[{own + token} + j] = 0.0f;",
        f"    for (int k = 0; k < {tokens}; k++) a[{own + token} + j] += weights[k] / total * values[k][j];",
        "}",
    ]
