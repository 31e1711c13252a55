"""Teachers: who picks the task parameters of the next training episode.

Read in order: base.py (the contract), space.py (the axes between an easy task and the target), then one file a teacher:
fixed.py, uniform.py, ladder.py (raises the difficulty when the student passes), alp_gmm.py (follows learning progress;
its mixture fit is in gmm.py). Teachers see outcomes only; they know no environment, trainer or reward.
"""
