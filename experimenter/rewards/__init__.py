"""Reward programs at work: compiled, wrapped around worlds, audited.

Read in this order: program (a record becomes a callable), specification (typed terms), rule (the baseline that needs no
model), wrapper (worlds that pay the program's reward), audit (does reward rise while fitness does not).
Checking a program before it may train is the sandbox's work; writing one is a role's.
"""
