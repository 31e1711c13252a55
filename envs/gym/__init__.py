"""The family `gym:<id>`: any registered Gymnasium environment as an environment family.

Well-known ids have a hand-checked recipe (card, task parameters, true state, a fitness that is not their reward); every
other id gets one derived from its docstring and spaces, with the native return as fitness, and its card says so.
It trains nothing, shapes no reward, and takes no actions other than Box and Discrete.

Read `recipe.py` (the parts of a recipe), `batch.py` (episodes over any simulator), `single.py` (one world), then the two
kinds of simulator: `arrays.py` (rows of one array, used by the classic-control files) and `loop.py` (Gymnasium worlds in
a loop, used by `lander.py`, `locomotion.py`, `balance.py`, `reacher.py`, `doorkey.py` and `generic.py`). `spaces.py` flattens
observations, `docstring.py` reads docstrings, `frames.py` and `sticks.py` draw, `lookup.py` finds ids, `family.py` is the door.
"""
