"""Work out a straight-line NumPy function from its text without ever executing it.

For the probe of whether a model writes right reward code. The function's syntax tree is walked here, over a short list of array
operations; anything else (loops, branches, attributes, calls that are not on the list) is refused. So no text can do more than compute
with the arrays that it was given, and this module is no second door for generated code (that door is `sandbox`).
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

# fmt: off
_FUNCTIONS = frozenset((
    "abs", "absolute", "add", "all", "amax", "amin", "any", "arctan", "arctan2", "array", "asarray", "atleast_1d",
    "ceil", "clip", "column_stack", "concatenate", "cos", "cosh", "divide", "equal", "exp", "expm1", "fabs",
    "float32", "float64", "floor", "fmax", "fmin", "full_like", "greater", "greater_equal", "heaviside", "hypot",
    "isclose", "less", "less_equal", "linalg.norm", "log", "log1p", "logaddexp", "logical_and", "logical_not",
    "logical_or", "max", "maximum", "mean", "min", "minimum", "multiply", "nan_to_num", "negative", "ones_like",
    "power", "prod", "reciprocal", "rint", "round", "sign", "sin", "sinh", "sqrt", "square", "squeeze", "stack", "std",
    "subtract", "sum", "tan", "tanh", "true_divide", "where", "zeros_like",
))
# fmt: on
_METHODS = ("sum", "mean", "astype", "copy", "max", "min", "squeeze", "clip", "reshape", "any", "all")
_BUILTINS: Mapping[str, Callable[..., Any]] = {
    "abs": abs, "float": float, "max": max, "min": min, "len": len, "sum": sum,
}  # fmt: skip
_TYPES: Mapping[str, type] = {"float": float, "bool": bool, "int": int}
_NUMPY_TYPES = ("float32", "float64", "bool_", "int64", "int32")
_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.Pow: lambda base, exponent: operator.pow(_real(base), _real(exponent)),
}
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


class NotStraight(ValueError):
    """The text is not a straight-line NumPy function of the wanted name and arguments."""


def work_out(source: str, name: str, arguments: Mapping[str, Any]) -> Any:
    """Return what the function `name` in `source` returns for `arguments`; raises `NotStraight` where it cannot be worked out."""
    try:
        function = _find_function(ast.parse(source), name, list(arguments))
        with np.errstate(all="ignore"):
            return _Walk(dict(arguments)).run(function.body)
    except NotStraight:
        raise
    except (
        SyntaxError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        ArithmeticError,
        AttributeError,
        MemoryError,
        RecursionError,
    ) as error:
        raise NotStraight(f"{type(error).__name__}: {error}") from error


def _find_function(tree: ast.Module, name: str, arguments: list[str]) -> ast.FunctionDef:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            if [argument.arg for argument in node.args.args] != arguments:
                raise NotStraight(f"{name} must take exactly {', '.join(arguments)}")
            return node
    raise NotStraight(f"there is no function {name}")


class _Walk:
    """One evaluation with its variables."""

    def __init__(self, variables: dict[str, Any]) -> None:
        self._variables = variables

    def run(self, body: list[ast.stmt]) -> Any:
        for statement in body:
            match statement:
                case ast.Return(value=ast.expr() as value):
                    return self.value(value)
                case ast.Assign(targets=[target], value=value):
                    self._bind(target, self.value(value))
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    self._bind(target, self.value(value))
                case ast.AugAssign(target=ast.Name(id=name), op=kind, value=value):
                    self._variables[name] = self._binary(kind, self._variables[name], self.value(value))
                case ast.Expr(value=ast.Constant()) | ast.Import(names=[ast.alias(name="numpy", asname="np")]):
                    pass
                case _:
                    raise NotStraight(f"a {type(statement).__name__} statement")
        raise NotStraight("nothing is returned")

    def value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=bool() | int() | float() | str() | None as value):
                return value
            case ast.Name(id=name) if name in self._variables:
                return self._variables[name]
            case ast.Name(id=name) if name in _TYPES:  # as in `.astype(float)`
                return _TYPES[name]
            case ast.BinOp(left=left, op=kind, right=right):
                return self._binary(kind, self.value(left), self.value(right))
            case ast.UnaryOp(op=one, operand=operand) if type(one) in _UNARY:
                return _UNARY[type(one)](self.value(operand))
            case ast.Compare(left=left, ops=[relation], comparators=[right]) if type(relation) in _COMPARE:
                return _COMPARE[type(relation)](self.value(left), self.value(right))
            case ast.Subscript(value=inner, slice=index):
                return self.value(inner)[self._index(index)]
            case ast.Attribute(value=ast.Name(id="np"), attr="pi"):
                return np.pi
            case ast.Attribute(value=ast.Name(id="np"), attr=attr) if attr in _NUMPY_TYPES:
                return getattr(np, attr)
            case ast.Attribute(value=inner, attr="shape"):
                return np.shape(self.value(inner))
            case ast.Dict(keys=keys, values=values) if None not in keys:
                return {
                    self.value(key): self.value(value)
                    for key, value in zip(keys, values, strict=True)
                    if key is not None
                }
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return tuple(self.value(item) for item in items)
            case ast.Call():
                return self._call(node)
        raise NotStraight(f"the expression `{ast.unparse(node)[:60]}`")

    def _call(self, node: ast.Call) -> Any:
        positional = [self.value(argument) for argument in node.args]
        named = {keyword.arg: self.value(keyword.value) for keyword in node.keywords if keyword.arg}
        path = ast.unparse(node.func)
        if path.startswith("np.") and path[3:] in _FUNCTIONS:
            return operator.attrgetter(path[3:])(np)(*positional, **named)
        if path in _BUILTINS:
            return _BUILTINS[path](*positional, **named)
        if isinstance(node.func, ast.Attribute) and node.func.attr in (*_METHODS, "values"):
            owner = self.value(node.func.value)
            if isinstance(owner, dict) and node.func.attr == "values":
                return tuple(owner.values())
            if isinstance(owner, np.ndarray | np.generic):
                return getattr(owner, node.func.attr)(*positional, **named)
        raise NotStraight(f"the call `{path[:60]}`")

    def _index(self, node: ast.expr) -> Any:
        match node:
            case ast.Slice(lower=lower, upper=upper, step=step):
                return slice(*(None if part is None else self.value(part) for part in (lower, upper, step)))
            case ast.Tuple(elts=items):
                return tuple(self._index(item) for item in items)
        return self.value(node)

    def _binary(self, kind: ast.operator, left: Any, right: Any) -> Any:
        if type(kind) not in _BINARY or not all(
            isinstance(side, int | float | np.ndarray | np.generic) for side in (left, right)
        ):
            raise NotStraight(f"the operation {type(kind).__name__}")
        return _BINARY[type(kind)](left, right)

    def _bind(self, target: ast.expr, value: Any) -> None:
        match target:
            case ast.Name(id=name):
                self._variables[name] = value
            case ast.Tuple(elts=items):
                for item, part in zip(items, value, strict=True):
                    self._bind(item, part)
            case _:
                raise NotStraight(f"an assignment to `{ast.unparse(target)[:60]}`")


def _real(value: Any) -> Any:
    """Whole numbers of unbounded length have no place in a power."""
    return float(value) if isinstance(value, int) else value
