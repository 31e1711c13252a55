"""The quantum family: build a circuit gate by gate that prepares a Hamiltonian's ground state.

Read in order: paulis.py (Pauli lists to matrices and weights), problems.py (shipped Hamiltonians and spin chains), stored.py
(those that a person made) and listing.py (facts of all), gates.py (what a circuit is), lanes.py, amplitude_steps.py and
trigonometry.py (vector code), statevector.py (noiseless energy and gradient), noise.py, devices.py and pauli_transfer.py (the
same under noise), energies.py (the door to both), shots.py (energies from bit strings), descent.py, optimise.py and
black_box.py (angles), settle.py, simplify.py, prune.py and minimise.py (shorter circuits), certificate.py (what stands beside a
result), actions.py and legality.py (what may be added next), encoding.py and measures.py (what a learner and a reward program
see), params.py and machine.py (a task), angles.py and rewards.py, batch.py and env.py (the worlds), drawing.py (frames), card.py
and card.md (what a model is told), family.py (the contract). chemistry.py and regenerate.py make new Hamiltonians and need
the extra `chem`; numba comes with the extra `quantum`, and compiled.py is the one door to it.
It trains nothing and knows nothing of reward programs or teachers.
"""
