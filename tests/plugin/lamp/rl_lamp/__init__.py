"""A lamp as an environment family: an example of a third-party package. Read `lamp.py` (the worlds), then `family.py`."""
