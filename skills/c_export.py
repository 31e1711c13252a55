"""A network policy as plain C99: constants and one function, no allocation, no dependency but math.h - for a microcontroller.

Policies of kind `mlp` (see `artifact.py`) and of drones (`swarm_c.py`). The file is meant to be compiled as it is and not edited.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skills.artifact import ArtifactError, Tensors, make_policy
from skills.c_source import DENSE, array
from skills.swarm_c import write_swarm
from skills.swarm_policy import KINDS as SWARM_KINDS

_ACTIVATIONS = {"tanh": "tanhf(x)", "relu": "x > 0.0f ? x : 0.0f", "elu": "x > 0.0f ? x : expm1f(x)"}


def make_c(spec: Mapping[str, Any], tensors: Tensors, name: str = "policy") -> str:
    """Return the C source of a policy: `void NAME_act(const float *observation, float *action)`.

    A discrete policy gets `int NAME_act(const float *observation)`. Raises `ArtifactError` for another kind or a damaged policy.
    """
    check_network(spec, tensors)
    if not name.isidentifier() or not name.isascii():
        raise ArtifactError(f"{name!r} is no C identifier: use letters, digits and underscores.")
    if spec["kind"] in SWARM_KINDS:
        return write_swarm(spec, tensors, name)
    layers = [(tensors[f"w{i}"], tensors[f"b{i}"]) for i in range(int(spec["layers"]))]
    discrete = spec["head"] == "argmax"
    signature = (
        f"int {name}_act(const float *observation)"
        if discrete
        else f"void {name}_act(const float *observation, float *action)"
    )
    parts = [
        "/* A trained policy as one function; made from its weights, not meant to be edited. */",
        "#include <math.h>",
        "",
        f"enum {{ {name.upper()}_OBSERVATIONS = {layers[0][0].shape[1]}, {name.upper()}_ACTIONS = {len(layers[-1][1])} }};",
        "",
        *_constants(spec, tensors, layers, name),
        f"static float {name}_activate(float x) {{ return {_ACTIVATIONS[spec['activation']]}; }}",
        "",
        DENSE.replace("NAME", name),
        f"{signature} {{",
        *(f"    {line}" for line in _body(spec, layers, name, discrete)),
        "}",
        "",
    ]
    return "\n".join(parts)


def check_network(spec: Mapping[str, Any], tensors: Tensors) -> None:
    """Raise `ArtifactError` unless the policy is an undamaged one of a kind that can be exported as a network."""
    known = ("mlp", *SWARM_KINDS)
    if spec.get("kind") not in known:
        raise ArtifactError(
            f"a policy of kind {spec.get('kind')!r} cannot be exported to C or ONNX; only networks can ({', '.join(known)})."
        )
    make_policy(dict(spec), tensors)


def input_scale(tensors: Tensors) -> NDArray[np.float32]:
    """[d] what a normalised policy multiplies its centred observations by."""
    scale: NDArray[np.float32] = (1.0 / np.sqrt(tensors["obs_var"] + 1e-8)).astype(np.float32)
    return scale


def _constants(spec: Mapping[str, Any], tensors: Tensors, layers: list[Any], name: str) -> list[str]:
    arrays = {f"w{i}": weight for i, (weight, _) in enumerate(layers)}
    arrays |= {f"b{i}": bias for i, (_, bias) in enumerate(layers)}
    if spec.get("normalise"):
        arrays |= {"mean": tensors["obs_mean"], "scale": input_scale(tensors)}
    if spec["head"] != "argmax":
        arrays |= {side: np.asarray(spec[side], np.float32) for side in ("low", "high")}
    return [array(f"{name}_{key}", value) for key, value in arrays.items()]


def _body(spec: Mapping[str, Any], layers: list[Any], name: str, discrete: bool) -> list[str]:
    widths = [layers[0][0].shape[1], *(len(bias) for _, bias in layers)]
    lines = [f"float a[{max(widths)}], c[{max(widths)}];"]
    if spec.get("normalise"):
        limit = f"{float(spec.get('clip_obs', 10.0))!r}f"
        lines += [
            f"for (int i = 0; i < {widths[0]}; i++)",
            f"    a[i] = fminf(fmaxf((observation[i] - {name}_mean[i]) * {name}_scale[i], -{limit}), {limit});",
        ]
    else:
        lines.append(f"for (int i = 0; i < {widths[0]}; i++) a[i] = observation[i];")
    here, there = "a", "c"
    for i in range(len(layers)):
        active = int(i < len(layers) - 1)
        lines.append(
            f"{name}_dense({name}_w{i}, {name}_b{i}, {here}, {there}, {widths[i]}, {widths[i + 1]}, {active});"
        )
        here, there = there, here
    if discrete:
        return [
            *lines,
            "int best = 0;",
            f"for (int i = 1; i < {widths[-1]}; i++) if ({here}[i] > {here}[best]) best = i;",
            "return best;",
        ]
    low, high = f"{name}_low[i]", f"{name}_high[i]"
    squash = f"{low} + (tanhf({here}[i]) + 1.0f) * 0.5f * ({high} - {low})"
    clip = f"fminf(fmaxf({here}[i], {low}), {high})"
    return [*lines, f"for (int i = 0; i < {widths[-1]}; i++) action[i] = {squash if spec['head'] == 'tanh' else clip};"]
