"""The model gateway: one typed call to whatever language model there is, with a ledger, a budget, a cache and retries.

It does not know what a role asks for, and it never runs what a model writes. Read `messages` (what goes in and comes out), `choose`
(which model), `gateway` (one call, step by step), `ledger` (what is written down), `providers` (the ways to a model), then what they
lean on: `replies` (text to value), `retries`, `probes` (what a model can do), `prices`; `embedded`, `grammar`, `models` and `sources`
are the local default.
"""
