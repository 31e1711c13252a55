"""The quantum family: build a circuit gate by gate that prepares a Hamiltonian's ground state.

Read in order, each built on those before it:
- Hamiltonians: compiled.py (the one door to numba, which comes with the extra `quantum`), paulis.py (Pauli lists to matrices
  and weights), problems.py (shipped ones and spin chains), stored.py (those that a person made), listing.py (facts of all);
- energies: gates.py (what a circuit is), trigonometry.py, lanes.py and amplitude_steps.py (vector code), statevector.py
  (noiseless energy and gradient), noise.py, devices.py and pauli_transfer.py (the same under noise), energies.py (the door to
  both), shots.py (energies from bit strings);
- angles: descent.py, optimise.py, black_box.py;
- a task and its worlds: actions.py and legality.py (what may be added next), params.py and machine.py (a task), angles.py,
  encoding.py, measures.py and rewards.py (what a learner and a reward program see), certificate.py (what stands beside a
  result), drawing.py (frames), batch.py and env.py (the worlds), card.py with card.md (what a model is told), family.py;
- shorter circuits: settle.py, simplify.py, prune.py, skeleton.py, minimise.py;
- new Hamiltonians: chemistry.py and regenerate.py, which need the extra `chem`.
It trains nothing and knows nothing of reward programs or teachers.
"""
