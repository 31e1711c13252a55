"""Steps quad-swarm-rl's own environment in an interpreter that has it. Run by path, not imported: it needs nothing of ours.

Reads one line a request, `DRONES SECONDS`, from standard input and answers with one JSON line: agent-steps, CPU-seconds. Settings are those
of the published obstacle runs: two neighbours, 20 % density, 0.6 m, downwash, sensor and thrust noise, numba on.
"""

import contextlib
import importlib
import json
import sys
import time
from typing import Any

REWARD = {"pos": 1.0, "effort": 0.05, "crash": 1.0, "orient": 1.0, "spin": 0.1}
SETTINGS: dict[str, Any] = {
    "ep_time": 15.0,
    "rew_coeff": {**REWARD, "quadcol_bin": 5.0, "quadcol_bin_smooth_max": 4.0, "quadcol_bin_obst": 5.0},
    "obs_repr": "xyz_vxyz_R_omega_floor",
    "neighbor_visible_num": 2,
    "neighbor_obs_type": "pos_vel",
    "collision_hitbox_radius": 2.0,
    "collision_falloff_radius": 4.0,
    "use_obstacles": True,
    "obst_density": 0.2,
    "obst_size": 0.6,
    "obst_spawn_area": [8.0, 8.0],
    "use_downwash": True,
    "use_numba": True,
    "quads_mode": "o_random",
    "room_dims": [10.0, 10.0, 10.0],
    "use_replay_buffer": False,
    "quads_view_mode": ["topdown"],
    "quads_render": False,
    "dynamics_params": "Crazyflie",
    "raw_control": True,
    "raw_control_zero_middle": True,
    "dynamics_randomize_every": None,
    "dynamics_change": {"noise": {"thrust_noise_ratio": 0.05}, "damp": {"vel": 0, "omega_quadratic": 0}},
    "dyn_sampler_1": None,
    "sense_noise": "default",
    "init_random_state": False,
}


def main() -> None:
    """Answer requests until the input ends. Exits with 3 where the package cannot be imported."""
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # the package prints
        try:
            module: Any = importlib.import_module("gym_art.quadrotor_multi.quadrotor_multi")
            numpy: Any = importlib.import_module("numpy")
        except Exception as error:  # whatever its many dependencies raise
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            raise SystemExit(3) from None
        environments: dict[int, Any] = {}
        for line in sys.stdin:
            drones, seconds = line.split()
            answers.write(json.dumps(step(module, numpy, environments, int(drones), float(seconds))) + "\n")
            answers.flush()


def step(module: Any, numpy: Any, environments: dict[int, Any], drones: int, seconds: float) -> dict[str, float]:
    """Step for some CPU-seconds; the first request of a size builds and compiles its environment outside the count."""
    rng = numpy.random.default_rng(0)
    drawn = rng.uniform(-0.25, 0.35, (16, drones, 4))
    if drones not in environments:
        environments[drones] = module.QuadrotorEnvMulti(num_agents=drones, **SETTINGS)
        environments[drones].reset()
        for actions in drawn:
            environments[drones].step(actions)
    env, steps, started = environments[drones], 0, time.process_time()
    while time.process_time() - started < seconds:
        for actions in drawn:
            env.step(actions)  # resets itself at an end
        steps += len(drawn) * drones
    return {"steps": steps, "cpu_s": time.process_time() - started}


if __name__ == "__main__":
    main()
