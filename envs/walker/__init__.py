"""The walker family: a parameterised BipedalWalker on Box2D, equal to Gymnasium's BipedalWalker-v3 on plain ground.

Read in order: terrain.py (parameters to ground), world.py (bodies and one physics step), lidar.py (rays for a batch),
measures.py (raw numbers to observation and named state), walker.py (one walker over its episodes), batch.py (many
walkers), env.py (one, as a Gymnasium environment), params.py, card.py and card.md (what a model is told), family.py (the
contract), drawing.py (frames).
It trains nothing and knows nothing of reward programs or teachers.
"""
