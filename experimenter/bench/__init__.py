"""Benchmarks: one thin file each, which runs the real parts on a named question and prints a table, a figure and `--json`.

They measure (steps per CPU-second, retrieval time, judge accuracy, sandbox start-up); they hold no logic that a session uses.
A figure without its command, seeds, machine and step budget is not reported. Read any file by itself; none imports another.
"""
