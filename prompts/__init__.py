"""Prompts as files: one Jinja2 template a role (and a compact one for small models) and the schema of each role's answer.

It renders text and checks answers; it calls no model and knows nothing of families, records or sessions.
Read in this order: `templates.py`, `answers.py`, `specification.py`, then the `.j2` files, `card.j2` first.
"""
