"""The syntax allow-list: what generated reward code may say, checked on its syntax tree before anything runs.

The list names what is allowed; anything new in Python is refused until it is added. Refusals are one sentence with a
line number, written for the model that gets it back for repair. This alone is not the sandbox: it keeps honest programs
clear and hostile ones poor, and the confined process of `confine.py` holds what slips through.
"""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Iterator

from envs.family import Card
from experimenter.errors import ProgramRefused
from experimenter.sandbox import allowed
from experimenter.sandbox.recursion import find_recursion

ARGUMENTS = ("state", "action", "next_state")
MAX_SOURCE = 16_000
MAX_NODES, MAX_DEPTH, MAX_NAME, MAX_TEXT = 4_000, 100, 64, 200
MAX_LOOP, MAX_LOOP_DEPTH, MAX_POWER, MAX_NUMBER = 1_000, 3, 16, 10**15

_ALLOWED_NODES: tuple[type[ast.AST], ...] = (
    ast.Module, ast.FunctionDef, ast.Lambda, ast.arguments, ast.arg, ast.Return, ast.Assign, ast.AugAssign, ast.AnnAssign,
    ast.For, ast.If, ast.With, ast.withitem, ast.Assert, ast.Expr, ast.Pass, ast.Break, ast.Continue, ast.Import, ast.ImportFrom,
    ast.alias, ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.IfExp, ast.Dict, ast.Set, ast.ListComp, ast.SetComp, ast.DictComp,
    ast.GeneratorExp, ast.comprehension, ast.Compare, ast.Call, ast.keyword, ast.FormattedValue, ast.JoinedStr,
    ast.Constant, ast.Attribute, ast.Subscript, ast.Name, ast.List, ast.Tuple, ast.Slice, ast.Starred,
    ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop,
)  # fmt: skip
_IN_WORDS: dict[type[ast.AST], str] = {
    ast.ClassDef: "classes are not allowed; use plain functions",
    ast.While: "while loops are not allowed; use whole-array NumPy expressions",
    ast.Try: "try/except is not allowed; write the program so that it cannot fail, for example with np.maximum(x, 1e-6)",
    ast.Raise: "raise is not allowed; the reward must be defined for every state",
    ast.Global: "global is not allowed; the reward must be a pure function",
    ast.Nonlocal: "nonlocal is not allowed; the reward must be a pure function",
    ast.Delete: "del is not allowed",
    ast.NamedExpr: "the := operator is not allowed; assign on a line of its own",
    ast.AsyncFunctionDef: "async is not allowed",
    ast.Await: "await is not allowed",
    ast.Yield: "yield is not allowed; return the reward",
    ast.YieldFrom: "yield is not allowed; return the reward",
    ast.Match: "match is not allowed; use if or np.where",
}
_IMPORTS = "only `import numpy as np` and `import math` are available, both are already there"
_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
"""Unicode categories: control, format, surrogate, private use, line and paragraph separators."""
_FORMAT = re.compile(r"[+0-9]{0,4}(\.\d{1,2})?[a-z%]?")


def screen(source: str, card: Card) -> None:
    """Refuse `source` unless it is a plain reward program over the state variables of `card`.

    Raises `ProgramRefused` with the line and the reason.
    """
    parse_program(source, card)


def parse_program(source: str, card: Card) -> ast.Module:
    """Screen `source` and return its syntax tree. Raises `ProgramRefused`."""
    _check_text(source)
    tree = _parse(source)
    _check_size(tree)
    _check_definition(tree)
    _Screen(tree, card).run()
    if name := find_recursion(tree):
        raise ProgramRefused(f"function {name!r} calls itself, directly or through others; recursion is not allowed.")
    return tree


def _check_text(source: str) -> None:
    if not source.strip():
        raise ProgramRefused("the program is empty; define compute_reward(state, action, next_state).")
    if len(source) > MAX_SOURCE:
        raise ProgramRefused(f"the program has {len(source)} characters; at most {MAX_SOURCE} are allowed.")
    for number, line in enumerate(source.split("\n"), 1):
        for letter in line:
            if letter not in "\t\r" and unicodedata.category(letter) in _INVISIBLE:
                raise ProgramRefused(
                    f"line {number}: control or invisible character U+{ord(letter):04X} is not allowed."
                )


def _parse(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError as error:
        raise ProgramRefused(f"line {error.lineno or 1}: not valid Python: {error.msg}.") from None
    except (RecursionError, MemoryError, ValueError) as error:
        raise ProgramRefused(
            f"the program cannot be parsed ({type(error).__name__}): it is nested too deeply."
        ) from None


def _check_size(tree: ast.Module) -> None:
    count, depth = 0, 0
    following: list[ast.AST] = [tree]
    while following:
        count, depth = count + len(following), depth + 1
        if count > MAX_NODES:
            raise ProgramRefused(f"the program is too long: more than {MAX_NODES} syntax elements.")
        if depth > MAX_DEPTH:
            raise ProgramRefused(f"the program is nested too deeply: more than {MAX_DEPTH} levels.")
        following = [child for node in following for child in ast.iter_child_nodes(node)]


def _check_definition(tree: ast.Module) -> None:
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "compute_reward"]
    if len(found) != 1:
        many = "once" if found else "at the top level"
        raise ProgramRefused(f"the program must define compute_reward(state, action, next_state) {many}.")
    arguments = found[0].args
    names = tuple(argument.arg for argument in (*arguments.posonlyargs, *arguments.args))
    if names != ARGUMENTS or arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.defaults:
        raise ProgramRefused(
            f"line {found[0].lineno}: compute_reward must take exactly (state, action, next_state), not ({', '.join(names)})."
        )


class _Screen:
    """One pass over the tree with the names that it binds at hand."""

    def __init__(self, tree: ast.Module, card: Card) -> None:
        self.tree = tree
        self.variables = {variable.name for variable in card.state}
        self.functions = set(_function_names(tree))
        self.lambda_names = {id(target) for target in _lambda_targets(tree)}
        self.known = set(_bound_names(tree)) | self.functions | allowed.BUILTINS | allowed.MODULES
        self.module_uses: set[int] = set()
        """Identities of the Name nodes `np` and `math` that stand in front of a dot."""

    def run(self) -> None:
        self._visit(self.tree, loops=0)

    def _visit(self, node: ast.AST, loops: int) -> None:
        if not isinstance(node, _ALLOWED_NODES):
            words = _IN_WORDS.get(type(node), f"{type(node).__name__} is not allowed in a reward program")
            refuse(node, words)
        if isinstance(node, ast.Attribute):  # from the inside out: the reason should name the root of a chain
            self._note_module(node)
            self._visit(node.value, loops)
        check = getattr(self, f"_check_{type(node).__name__.lower()}", None)
        if check is not None:
            check(node)
        if isinstance(node, ast.Attribute):
            return
        inner = loops + isinstance(node, ast.For | ast.comprehension)
        if inner > MAX_LOOP_DEPTH:
            refuse(node, f"loops nested more than {MAX_LOOP_DEPTH} deep are not allowed; use whole-array expressions")
        for child in _evaluated_children(node):
            self._visit(child, inner)

    def _check_import(self, node: ast.Import) -> None:
        for alias in node.names:
            if (alias.name, alias.asname or alias.name) not in {("numpy", "np"), ("numpy", "numpy"), ("math", "math")}:
                refuse(node, f"import of {alias.name!r} is not allowed: {_IMPORTS}")

    def _check_importfrom(self, node: ast.ImportFrom) -> None:
        if node.level or node.module not in ("typing", "__future__"):
            refuse(node, f"import from {node.module!r} is not allowed: {_IMPORTS}")

    def _check_functiondef(self, node: ast.FunctionDef) -> None:
        if node.decorator_list:
            refuse(node, "decorators are not allowed")
        self._check_bound_name(node, node.name)

    def _check_arguments(self, node: ast.arguments) -> None:
        if node.vararg or node.kwarg:
            refuse(node.vararg or node.kwarg or node, "*args and **kwargs are not allowed; name every argument")

    def _check_arg(self, node: ast.arg) -> None:
        self._check_bound_name(node, node.arg)

    def _check_with(self, node: ast.With) -> None:
        call = node.items[0].context_expr
        target = call.func if isinstance(call, ast.Call) and not call.args else None
        is_errstate = isinstance(target, ast.Attribute) and target.attr == "errstate"
        if len(node.items) != 1 or node.items[0].optional_vars or not is_errstate:
            refuse(node, "with is not allowed, except `with np.errstate(...)`")

    def _check_name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._check_bound_name(node, node.id)
        elif node.id in allowed.MODULES and id(node) not in self.module_uses:
            refuse(node, f"{node.id} can only be used as {node.id}.<function>")
        elif node.id not in self.known or node.id.startswith("__"):
            hint = allowed.suggest(node.id, self.known)
            refuse(node, f"the name {node.id!r} is not available in a reward program.{hint}")

    def _check_bound_name(self, node: ast.AST, name: str) -> None:
        if name.startswith("__") or len(name) > MAX_NAME or not name.isascii():
            refuse(
                node,
                f"the name {name[:MAX_NAME]!r} is not allowed: use plain ASCII names of at most {MAX_NAME} letters",
            )
        if name in allowed.MODULES or name in allowed.BUILTINS:
            refuse(node, f"the name {name!r} is taken by a module or built-in function; choose another")
        if name in self.functions and not isinstance(node, ast.FunctionDef) and id(node) not in self.lambda_names:
            refuse(node, f"the name {name!r} is used for a function and for a value; choose another")

    def _note_module(self, node: ast.Attribute) -> None:
        if (isinstance(node.value, ast.Name) and node.value.id in allowed.MODULES) or _is_linalg(node.value):
            self.module_uses.add(id(node.value))

    def _check_attribute(self, node: ast.Attribute) -> None:
        name, owner = node.attr, node.value
        if not isinstance(node.ctx, ast.Load):
            refuse(node, "attributes cannot be assigned")
        if name.startswith("_"):
            refuse(node, f"the attribute {name!r} is not allowed: names that start with an underscore are closed")
        if isinstance(owner, ast.Name) and owner.id in allowed.MODULES:
            self._check_module_attribute(node, owner.id)
        elif _is_linalg(owner):
            if name not in allowed.LINALG:
                refuse(node, f"np.linalg.{name} is not available; only np.linalg.norm is")
        elif name not in allowed.METHODS:
            hint = allowed.suggest(name, allowed.METHODS)
            refuse(node, f"the attribute or method {name!r} is not available in a reward program.{hint}")

    def _check_module_attribute(self, node: ast.Attribute, module: str) -> None:
        if module == "math" and node.attr not in allowed.MATH:
            refuse(node, f"math.{node.attr} is not available.{allowed.suggest(node.attr, allowed.MATH)}")
        if node.attr == "linalg" and module != "math":
            if id(node) not in self.module_uses:
                refuse(node, "np.linalg can only be used as np.linalg.norm")
        elif module != "math" and node.attr not in allowed.NUMPY:
            refuse(node, allowed.why_not_numpy(node.attr))

    def _check_call(self, node: ast.Call) -> None:
        target = node.func
        if isinstance(target, ast.Name):
            if target.id not in self.functions | allowed.BUILTINS and target.id in self.known:
                refuse(node, f"{target.id!r} is a value, not a function of this program, and cannot be called")
        elif not isinstance(target, ast.Attribute):
            refuse(node, "only functions called by name can be called")
        if any(keyword.arg is None for keyword in node.keywords):
            refuse(node, "** in a call is not allowed; name the arguments")
        self._check_get(node)
        self._check_range(node)

    def _check_get(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
            self._check_variable(node, node.func.value, node.args[0])

    def _check_range(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id == "range":
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, int) and argument.value > MAX_LOOP:
                    refuse(node, f"a loop over {argument.value} values is too long; at most {MAX_LOOP}")

    def _check_subscript(self, node: ast.Subscript) -> None:
        self._check_variable(node, node.value, node.slice)

    def _check_variable(self, node: ast.AST, owner: ast.expr, key: ast.expr) -> None:
        if not (isinstance(owner, ast.Name) and owner.id in ("state", "next_state")):
            return
        if isinstance(key, ast.Constant) and key.value not in self.variables:
            listed = ", ".join(sorted(self.variables))
            hint = allowed.suggest(str(key.value), self.variables)
            refuse(node, f"{owner.id} has no variable {key.value!r}.{hint} It has: {listed}")

    def _check_binop(self, node: ast.BinOp) -> None:
        self._check_operator(node, node.left, node.op, node.right)

    def _check_augassign(self, node: ast.AugAssign) -> None:
        self._check_operator(node, node.target, node.op, node.value)

    def _check_operator(self, node: ast.AST, left: ast.expr, operator: ast.operator, right: ast.expr) -> None:
        if isinstance(operator, ast.LShift | ast.RShift):
            refuse(node, "shift operators are not allowed")
        if isinstance(operator, ast.Pow) and abs(_number(right) or 0) > MAX_POWER:
            refuse(node, f"a power above {MAX_POWER} is not allowed")
        if isinstance(operator, ast.Pow) and isinstance(right, ast.BinOp) and isinstance(right.op, ast.Pow):
            refuse(node, "a power of a power is not allowed")
        if isinstance(operator, ast.Mod | ast.Mult) and (_is_text(left) or _is_text(right)):
            refuse(node, "text cannot be formatted or repeated")
        if isinstance(operator, ast.Mult):
            for one, other in ((left, right), (right, left)):
                if isinstance(one, ast.List | ast.Tuple) and (_number(other) or 0) > MAX_LOOP:
                    refuse(node, f"a list repeated more than {MAX_LOOP} times is not allowed")

    def _check_constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bytes | complex):
            refuse(node, f"{type(value).__name__} constants are not allowed")
        if isinstance(value, int) and abs(value) > MAX_NUMBER:
            refuse(node, f"whole numbers above {MAX_NUMBER:.0e} are not allowed")
        if isinstance(value, str) and len(value) > MAX_TEXT:
            refuse(node, f"text of more than {MAX_TEXT} characters is not allowed")

    def _check_formattedvalue(self, node: ast.FormattedValue) -> None:
        if node.conversion != -1:
            refuse(node, "conversions such as !r are not allowed in f-strings")
        if isinstance(node.format_spec, ast.JoinedStr):
            parts = node.format_spec.values
            if not all(isinstance(part, ast.Constant) and _FORMAT.fullmatch(str(part.value)) for part in parts):
                refuse(node, "only plain formats such as {i}, {i:02d} or {x:.2f} are allowed in f-strings")


def refuse(node: ast.AST, reason: str) -> None:
    """Raise `ProgramRefused` with the line of `node`."""
    line = getattr(node, "lineno", None)
    sentence = reason if reason.endswith((".", "?")) else f"{reason}."
    raise ProgramRefused(f"line {line}: {sentence}" if line else f"{sentence[0].upper()}{sentence[1:]}")


def _evaluated_children(node: ast.AST) -> Iterator[ast.AST]:
    """The children that will run: annotations and docstrings never do (see `load.py`)."""
    skipped = {id(node.annotation)} if isinstance(node, ast.AnnAssign) else set()
    if isinstance(node, ast.arg) and node.annotation is not None:
        skipped.add(id(node.annotation))
    if isinstance(node, ast.FunctionDef) and node.returns is not None:
        skipped.add(id(node.returns))
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        skipped.add(id(node.value))
    return (child for child in ast.iter_child_nodes(node) if id(child) not in skipped)


def _lambda_targets(tree: ast.Module) -> Iterator[ast.Name]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            yield from (target for target in node.targets if isinstance(target, ast.Name))


def _function_names(tree: ast.Module) -> Iterator[str]:
    yield from (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    yield from (target.id for target in _lambda_targets(tree))


def _bound_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg


def _is_linalg(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "linalg"
        and isinstance(node.value, ast.Name)
        and node.value.id in allowed.MODULES
    )


def _number(node: ast.expr) -> float | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    return None


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
