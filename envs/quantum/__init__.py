"""The quantum family: build a circuit gate by gate that prepares a Hamiltonian's ground state.

Read in order: paulis.py (Pauli lists to matrices and weights), problems.py (shipped Hamiltonians and spin chains),
gates.py (what a circuit is), statevector.py (noiseless energy and gradient), noise.py and pauli_transfer.py (the same
under noise), shots.py (sampled energies), optimise.py (angles), actions.py (what may be added next), encoding.py (what a
learner sees), params.py, episodes.py and env.py (the worlds), card.py and card.md (what a model is told), family.py (the
contract), drawing.py (frames), prune.py (shorter circuits). chemistry.py and regenerate.py make new Hamiltonians and need
the extra `chem`; numba comes with the extra `quantum`.
It trains nothing and knows nothing of reward programs or teachers.
"""
