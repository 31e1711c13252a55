"""Teachers: automatic curricula over task parameters.

Read `base.py` (the contract), then one file a teacher. A teacher chooses parameters and never touches a world's inside.
"""
