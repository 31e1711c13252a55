"""Teachers: who picks the task parameters of the next training episode.

Read in order: base.py (the contract), space.py (the axes between an easy task and the target), cells.py (the same cut into a finite
number, with written choices), then one file a teacher: fixed.py, uniform.py, ladder.py (raises the difficulty when the student
passes), widen.py, threshold.py, alp_gmm.py (follows learning progress; its mixture fit is in gmm.py), progress.py (learning progress
among discrete tasks), instruction_value.py (DigiRL's r - V(c)), value_band.py (WebRL's band of values), evolve.py (new tasks from
failed ones). Teachers see outcomes only, and what a student says that it expects; they know no trainer or reward, and no environment but
for evolve.py, which asks a family for proofs.
"""
