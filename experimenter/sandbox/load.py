"""From screened text to a callable: strip what never runs, compile, execute in a namespace of chosen functions.

`load_code` runs generated text, so it refuses to do so outside a confined process unless told otherwise.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from envs.family import Card
from experimenter.errors import ProgramRefused, SandboxError
from experimenter.sandbox import allowed
from experimenter.sandbox.confine import came_through_door
from experimenter.sandbox.guard import explain, line_of
from experimenter.sandbox.screen import parse_program

RewardFunction = Callable[..., Any]
"""`compute_reward(state, action, next_state)`; what it returns is not trusted before `guard.call_program` has checked it."""


def load_code(source: str, card: Card, *, allow_unconfined: bool = False) -> RewardFunction:
    """Screen, compile and execute `source`; return its `compute_reward`.

    Raises `ProgramRefused` when the screen or the program's own top level fails, `SandboxError` outside a confined process
    unless `allow_unconfined`.
    """
    if not (allow_unconfined or came_through_door()):
        raise SandboxError(
            "generated reward code may only run in a confined process; "
            "use an executor that confines (local), or allow unconfined runs explicitly if you trust the code."
        )
    tree = ast.fix_missing_locations(_Strip().visit(parse_program(source, card)))
    namespace = allowed.make_namespace()
    try:
        exec(compile(tree, "<reward>", "exec", dont_inherit=True), namespace)
        function = namespace["compute_reward"]
    except Exception as error:  # the boundary to generated code: whatever it raises becomes a refusal
        raise ProgramRefused(f"line {line_of(error)}: {explain(error)}") from None
    if not callable(function):
        raise ProgramRefused("compute_reward is not a function.")
    return function


class _Strip(ast.NodeTransformer):
    """Drop imports and annotations: the modules are already there, and hints are not evaluated."""

    def visit_Import(self, node: ast.Import) -> ast.AST:
        return ast.copy_location(ast.Pass(), node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        return ast.copy_location(ast.Pass(), node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign(targets=[node.target], value=node.value), node)
