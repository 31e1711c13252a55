"""Find recursion in a syntax tree: a function that can reach itself through calls by name."""

from __future__ import annotations

import ast


def find_recursion(tree: ast.Module) -> str | None:
    """Return the name of a function that calls itself, directly or through others, or None."""
    calls: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        for name in _names(node):
            body = node.value if isinstance(node, ast.Assign) else node
            calls.setdefault(name, set()).update(_mentioned(body, own=node))
    graph = {name: mentioned & calls.keys() for name, mentioned in calls.items()}
    return next((name for name in sorted(graph) if name in _reachable(name, graph)), None)


def _names(node: ast.AST) -> list[str]:
    """The names under which this node makes a function."""
    if isinstance(node, ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


def _mentioned(body: ast.AST, own: ast.AST) -> set[str]:
    """Every name that is read inside `body`: a function that is passed on counts as called."""
    return {
        node.id
        for node in ast.walk(body)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node is not own
    }


def _reachable(start: str, graph: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    frontier = set(graph[start])
    while frontier:
        seen |= frontier
        frontier = {after for name in frontier for after in graph[name]} - seen
    return seen
