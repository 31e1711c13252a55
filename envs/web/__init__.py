"""The web family: tasks on web pages, done in a real browser, on sites that live inside it.

What it is: a browser under one small protocol (`DomBackend`), sites that answer every request themselves, worlds
whose observation is a flat list of page elements, and scripted oracles that prove the tasks solvable. What it is not: a way
to reach the internet. Nothing outside the allowed sites can be reached, see guard.py.

Read in this order: backend.py (records and protocol), page.js (what runs inside a page), sites.py and miniwob.py, launch.py,
transport.py, cdp.py, guard.py, chromium.py, lightpanda.py (browsers), instruction.py, actions.py, encoding.py, world.py, batch.py,
env.py, oracles.py and oracle_*.py, params.py, card.py, family.py. Sites of many pages with a state of their own: served.py,
served.js, workplace.py, the shop (shop/) and the tracker (tracker/); tasks.py numbers the tasks of all sites.
Between a model and a page: language.py, grounding.py, demonstrations.py.
"""
