"""The sandbox: what generated reward code may say (`screen`), what it may do (`confine`), and whether it works (`check`).

Generated code passes three doors: the syntax allow-list of `screen.py`; a namespace of chosen functions (`allowed.py`,
`load.py`); and a confined process (`confine.py`, whose docstring says what it covers and what not).
Read in this order: allowed, screen, load, guard (one checked call), probes (does it behave), worker and check (in a
confined process), confine with view, lockdown and kernel (the process).
It does not judge whether a reward is a good one.
"""
