"""A compact GBNF grammar from an answer's JSON schema, for llama.cpp's constrained decoding.

The grammar admits one spelling only: fields in their order, no white space, strings and numbers of bounded length. That saves about
a third of the tokens against the engine's own JSON-schema mode, and a small model cannot wander off in indentation. What a grammar
cannot say (patterns, exact bounds of wide numbers, relations between fields) stays with the schema's validation.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

Schema = Mapping[str, Any]

MAX_STRING = 300
"""Characters of a string whose schema gives no maxLength."""
MAX_ITEMS = 8
"""Items of an array, or members of a free object, whose schema gives no limit."""
_INTEGER_SPAN = 64
"""Integer ranges of up to this many values are spelt out."""
_DECIMALS = 3

_TOKENS: dict[str, str] = {
    "char": r'[ !#-\[\]-~À-ÿ] | "\\" ["\\/nt]',
    "key": r'"\"" [a-zA-Z_] [a-zA-Z0-9_]{0,39} "\""',
    "fraction": f'"." [0-9]{{1,{_DECIMALS}}}',
    "boolean": '"true" | "false"',
    "null": '"null"',
    "simple": 'boolean | null | "-"? ("0" | [1-9] [0-9]{0,5}) fraction? | "\\"" char{0,60} "\\""',
}
_NEEDS = {"simple": ("boolean", "null", "fraction", "char")}


class UnsupportedSchema(ValueError):
    """The schema has something that this grammar cannot spell."""


def make_grammar(schema: type[BaseModel] | Schema) -> str:
    """Write the GBNF grammar of `schema` (a pydantic model or its JSON schema); its start rule is `root`."""
    plain = schema if isinstance(schema, Mapping) else schema.model_json_schema()
    return _Writer(plain).write()


def make_choice_grammar(choices: tuple[str, ...]) -> str:
    """Write a grammar that admits exactly one of `choices`."""
    return f"root ::= {_either([_quote(choice) for choice in choices])}\n"


class _Writer:
    """Collects the rules of one grammar."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._definitions: Mapping[str, Schema] = schema.get("$defs", {})
        self._rules: dict[str, str] = {}

    def write(self) -> str:
        rules = {"root": self._expression(self._schema)}
        rules.update(self._rules)
        return "".join(f"{name} ::= {text}\n" for name, text in rules.items())

    def _expression(self, schema: Schema) -> str:
        if "$ref" in schema:
            return self._reference(str(schema["$ref"]))
        if "const" in schema:
            return _quote(_spell(schema["const"]))
        if "enum" in schema:
            return _either([_quote(_spell(value)) for value in schema["enum"]])
        for union in ("anyOf", "oneOf"):
            if union in schema:
                return _either([self._expression(option) for option in schema[union]])
        if len(schema.get("allOf", ())) == 1:
            return self._expression(schema["allOf"][0])
        return self._typed(schema)

    def _typed(self, schema: Schema) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            return _either([self._typed({**schema, "type": one}) for one in kind])
        match kind:
            case "object":
                return self._object(schema)
            case "array":
                return self._array(schema)
            case "string":
                return self._string(schema)
            case "integer":
                return _integer(schema)
            case "number":
                return self._number(schema)
            case "boolean" | "null":
                return self._token(kind)
            case None:
                return self._token("simple")
        raise UnsupportedSchema(f"no grammar for the type {kind!r}")

    def _reference(self, reference: str) -> str:
        """Name the rule of a definition; the rule is written once, so a definition may hold itself."""
        name = reference.rsplit("/", 1)[-1]
        rule = "d-" + "".join(c if c.isalnum() else "-" for c in name).lower()
        if rule not in self._rules:
            self._rules[rule] = ""
            self._rules[rule] = self._expression(self._definitions[name])
        return rule

    def _object(self, schema: Schema) -> str:
        fields: Mapping[str, Schema] = schema.get("properties", {})
        if not fields:
            return self._free_object(schema)
        pairs = [f"{_quote(_spell(name) + ':')} {self._expression(field)}" for name, field in fields.items()]
        return _quote("{") + " " + ' "," '.join(pairs) + " " + _quote("}")

    def _free_object(self, schema: Schema) -> str:
        values = schema.get("additionalProperties", False)
        if values is False:
            return _quote("{}")
        key = self._key(schema.get("propertyNames", {}))
        value = self._expression(values if isinstance(values, Mapping) else {})
        least, most = int(schema.get("minProperties", 0)), int(schema.get("maxProperties", MAX_ITEMS))
        return _quote("{") + " " + _listing(f'{key} ":" {value}', least, most) + " " + _quote("}")

    def _key(self, names: Schema) -> str:
        if "enum" in names or "const" in names or "$ref" in names:
            return self._expression(names)
        return self._token("key")

    def _array(self, schema: Schema) -> str:
        if "prefixItems" in schema:
            items = [self._expression(item) for item in schema["prefixItems"]]
            return _quote("[") + " " + ' "," '.join(items) + " " + _quote("]")
        least = int(schema.get("minItems", 0))
        most = int(schema.get("maxItems", max(MAX_ITEMS, least)))
        item = self._expression(schema.get("items", {}))
        return _quote("[") + " " + _listing(item, least, most) + " " + _quote("]")

    def _string(self, schema: Schema) -> str:
        least = int(schema.get("minLength", 0))
        most = min(int(schema.get("maxLength", MAX_STRING)), 2000)
        return f'"\\"" {self._token("char")}{{{least},{max(most, least)}}} "\\""'

    def _number(self, schema: Schema) -> str:
        """Spell numbers with at most three decimals; ranges of up to 64 whole numbers are kept to, wider ones in their digits only."""
        low, high = _bounds(schema)
        fraction = self._token("fraction")
        options = []
        if high > 0 or (high == 0 and "exclusiveMaximum" not in schema):
            least = max(low, 0.0)
            options.append(
                _magnitude(
                    least, high, fraction, "exclusiveMinimum" in schema and low >= 0, "exclusiveMaximum" in schema
                )
            )
        if low < 0:
            least = max(-high, 0.0)
            above = least == 0 or "exclusiveMaximum" in schema  # "-0" is nobody's number
            magnitude = _magnitude(least, -low, fraction, above, "exclusiveMinimum" in schema)
            options.append(f'"-" {magnitude}')
        return _either(options)

    def _token(self, name: str) -> str:
        for needed in (*_NEEDS.get(name, ()), name):
            self._rules.setdefault(needed, _TOKENS[needed])
        return name


def _magnitude(low: float, high: float, fraction: str, above_low: bool, below_high: bool) -> str:
    """Numbers from `low` >= 0 to `high`, without the ends that are excluded."""
    first, last = math.floor(low), math.floor(high)
    if last - first > _INTEGER_SPAN:
        zero = f'"0." [0-9]{{0,{_DECIMALS - 1}}} [1-9]' if above_low and low == 0 else f'"0" {fraction}?'
        return f"({zero} | [1-9] [0-9]{{0,{_digits(high) - 1}}} {fraction}?)"
    options = [f"{_quote(str(whole))} {fraction}?" for whole in range(first, last)]
    if above_low and options and first == low:
        options[0] = f'"{first}." [0-9]{{0,{_DECIMALS - 1}}} [1-9]'
    if last < high:
        options.append(f"{_quote(str(last))} {fraction}?")
    elif not below_high:
        options.append(_quote(str(last)))
    return _either(options)


def _integer(schema: Schema) -> str:
    low, high = _bounds(schema)
    low = math.floor(low) + 1 if "exclusiveMinimum" in schema else low
    high = math.ceil(high) - 1 if "exclusiveMaximum" in schema else high
    if high - low < _INTEGER_SPAN:
        return _either([_quote(str(value)) for value in range(math.ceil(low), math.floor(high) + 1)])
    whole = f'("0" | [1-9] [0-9]{{0,{_digits(max(abs(low), abs(high))) - 1}}})'
    return whole if low >= 0 else f'"-"? {whole}'


def _bounds(schema: Schema) -> tuple[float, float]:
    low = schema.get("minimum", schema.get("exclusiveMinimum", -999_999))
    high = schema.get("maximum", schema.get("exclusiveMaximum", 999_999))
    if low > high:
        raise UnsupportedSchema(f"the bounds {low} and {high} leave no number")
    return float(low), float(high)


def _digits(value: float) -> int:
    return max(len(str(int(min(value, 1e12)))), 1)


def _listing(item: str, least: int, most: int) -> str:
    """Between `least` and `most` items with commas between them."""
    if most <= 0:
        return '""'
    rest = f'({item} ("," {item}){{{max(least - 1, 0)},{most - 1}}})'
    return rest if least > 0 else rest + "?"


def _either(options: list[str]) -> str:
    if not options:
        raise UnsupportedSchema("a choice among nothing")
    unique = list(dict.fromkeys(options))
    return unique[0] if len(unique) == 1 else "(" + " | ".join(unique) + ")"


def _spell(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _quote(text: str) -> str:
    """GBNF literal of `text`."""
    escaped = (
        text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    )
    return f'"{escaped}"'
