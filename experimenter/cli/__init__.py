"""The command line: Typer commands, one file a noun. Prints; holds no logic; starts without torch, langgraph or litellm.

Read `main.py` (the tree and the one error handler), `output.py` (how things are printed), then any noun.
"""
