"""Tier T3: a shop that we write. A seeded catalogue, full-text search, options, a cart, a checkout, and WebShop's published reward.

What it is: an application in the sense of `envs.web.sites`, asked by us in this process; its state lies in SQLite files. What it is
not: a server, nor anything with a way to the internet. Read: words.toml, catalogue.py, store.py, goals.py, app.py, oracle.py.
"""
