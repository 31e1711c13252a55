"""Loads Box2D the safe way before any test imports it through Gymnasium: its import crashes where warnings are errors."""

import envs.walker.world  # noqa: F401
