"""The quadrotor family: Crazyflies in a room, one or up to 128 a room, many rooms stepped by one compiled kernel.

Read in order: layout.py (where every number lies), airframes.py, lanes.py (the step's working copy), dynamics.py (flight), control.py
(action modes), contacts.py, goals.py, spawn.py, observe.py, reward.py, kernel.py (one control step), swarm.py (the arrays), measures.py
(named state, outcomes), params.py, card.py and card.md (what a model is told), batch.py and family.py (the contract), views.py (SB3,
PettingZoo), drawing.py (frames), practice.py and replay.py (for trainers).
It trains nothing. Compiled code lies in the user's cache folder under a digest of this folder's source.
"""
