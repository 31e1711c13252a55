"""Rules that read a goal's words without a model: which family, which parameters, how sure, how long, how much.

They read English key words and numbers near names, no more; whatever they do not know keeps its default.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from envs.family import Card, Parameter
from envs.task import ParamValue
from experimenter.records import Budget
from experimenter.roles.common import take_params

_ALIASES: dict[str, tuple[str, ...]] = {
    "walker": ("walker", "biped", "bipedal", "walk", "leg"),
    "cartpole": ("cartpole", "cart", "pole", "broom"),
    "pendulum": ("pendulum", "swing"),
    "mountaincarcontinuous": ("mountain", "hill", "car"),
    "acrobot": ("acrobot",),
    "lunarlander": ("lander", "lunar", "land", "moon", "rocket"),
    "hopper": ("hopper", "hop"),
    "halfcheetah": ("cheetah", "halfcheetah"),
    "walker2d": ("walker2d",),
    "reacher": ("reacher", "reach", "arm"),
    "web": (
        "website",
        "browser",
        "webpage",
        "shop",
        "shopping",
        "buy",
        "purchase",
        "email",
        "mail",
        "inbox",
        "login",
        "ticket",
    ),
}
"""Family's base name (lower case, no `gym:` and no version) -> words that speak of it."""
_LEVELS: tuple[tuple[tuple[str, ...], float], ...] = (
    (("highest", "maximum", "hardest", "possible", "extreme"), 1.0),
    (("hip", "waist", "high", "tall", "steep", "wide", "very", "hard", "big", "large", "deep"), 0.75),
    (("knee", "medium", "moderate", "half", "some"), 0.5),
    (("low", "small", "gentle", "slight", "slightly", "ankle", "little", "easy", "mild", "short"), 0.25),
    (("flat", "without", "no", "zero"), 0.0),
)
"""Words of size -> share of a parameter's range."""
_NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
            "fifteen": 15, "twenty": 20, "thirty": 30, "sixty": 60, "half": 0.5, "an": 1, "a": 1}  # fmt: skip
_DIGITS = [word for word, value in _NUMBERS.items() if value > 1]
_SECONDS = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "m": 60, "h": 3600, "hour": 3600, "hr": 3600}
_COUNT = r"(\d+(?:\.\d+)?|" + "|".join(_NUMBERS) + ")"
_DURATION = re.compile(
    rf"\b(?:in|within|under|at most|no more than|budget of|spend)\s+{_COUNT}\s*(s|sec|second|min|minute|m|h|hr|hour)s?\b"
)
_STEPS = re.compile(r"\b(\d+(?:\.\d+)?)\s*(k|m|million|thousand)?\s*(?:env(?:ironment)?|training)?\s*steps\b")
_MONEY = re.compile(r"(?:\$\s*(\d+(?:\.\d+)?)|\b(\d+(?:\.\d+)?)\s*(?:usd|dollars?)\b)")
_PURCHASE = re.compile(
    r"\b(?:buy(?:s|ing)?|bought|purchas(?:e[sd]?|ing)|shop(?:s|ping)?|order(?:s|ing)? (?!to\b|of\b|that\b)|prices?|priced|cheap(?:er|est)?"
    r"|cost(?:s|ing)? (?:less|under|below|at most|no more|up to))"
)
"""Words of a goal that is about buying something: what money it names is a price."""
_SPENDING = re.compile(r"^\s*(?:on|of|for)\s+(?:the\s+|a\s+)?(?:models?|tokens?|training|session|llm|api)\b")
"""What follows money that the session may spend, whatever else the goal is about."""
_PERCENT = re.compile(r"\b(\d+(?:\.\d+)?)\s*(?:%|percent\b)")
_OUT_OF = re.compile(rf"\b{_COUNT}\s+(?:times\s+)?(?:out\s+)?of\s+{_COUNT}\b")
_OPEN = re.compile(
    r"\b(as (?:much|many|far)|how far|every(?:thing| kind| sort)|all kinds|anything|explore|keep learning|new skills?"
    r"|(?:you|it) can|on (?:its|your) own)\b"
)


_UNITS = {"angstrom": r"(?:[Aa]ngstr[oö]ms?\b|[ÅÅ]|A\b)", "mHa": r"(?:mHa\b|milli-?hartrees?\b)"}
"""Unit of a card's parameter -> how a goal writes it behind a number."""
_JOINTS = re.compile(r"\s*(?:[,;]|\band then\b|\bthen\b|\band\b)\s*", re.IGNORECASE)
"""What stands between the steps of a goal."""
_NOTHING = re.compile(r"\b(?:without|not|never|avoid(?:s|ing)?)\s+(?:\w+ing\s+|\w+\s+)?anything\b")
"""`without touching anything` sets no open goal."""


def tokens(text: str) -> list[str]:
    """Lower-case words, camel case split, a plural's last s taken off."""
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text)
    words = re.findall(r"[a-z]+\d*[a-z]*|\d+(?:\.\d+)?", split.lower())
    return [word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in words]


def score_family(card: Card, text: str) -> float:
    """How strongly the words speak of a family: 10 for its exact name, then hits in its name, its aliases and its parameters."""
    base = base_name(card.family)
    if re.search(rf"(?<![\w-]){re.escape(card.family.removeprefix('gym:').lower())}(?![\w-])", text.lower()):
        # a bare word such as "walker" is a hit, a full Gymnasium id is a name
        return 10.0 if "-" in card.family else 5.0
    said = set(tokens(text))
    score = 3.0 if base in said or base in "".join(tokens(text)) else 0.0
    aliases = _ALIASES.get(base.removesuffix("continuous"), _ALIASES.get(base, ()))
    score += 2.0 * len(said.intersection(aliases))
    score += sum(1.0 for noun in {nouns(param)[0] for param in card.params} if noun in said)
    if not score and any(difflib.get_close_matches(word, [base], cutoff=0.8) for word in said if len(word) > 4):
        score = 1.5
    if base.endswith("continuous"):
        score += 0.5 if "continuous" in said else -0.5 * (base.removesuffix("continuous") == "lunarlander")
    return score


def rank_families(cards: Sequence[Card], text: str) -> list[tuple[float, Card]]:
    """Families that the words speak of, the strongest first."""
    scored = [(score_family(card, text), card) for card in cards]
    return sorted([pair for pair in scored if pair[0] > 0], key=lambda pair: -pair[0])


def base_name(family: str) -> str:
    """`gym:CartPole-v1` -> `cartpole`."""
    return re.sub(r"-v\d+$", "", family.removeprefix("gym:")).lower()


def nouns(param: Parameter) -> list[str]:
    """`stump_height` -> [`stump`, `height`]."""
    return tokens(param.name.replace("_", " ")) or [param.name]


def read_params(card: Card, text: str) -> tuple[dict[str, ParamValue], list[str]]:
    """Parameters that the words name: a number near the name or with the unit, otherwise a word of the card, otherwise a
    word of size, otherwise the middle of the range."""
    found: dict[str, ParamValue] = {}
    said = tokens(text)
    for param in _mentioned(card, said):
        value, meant = _number_near(param, text), _worded(param, text)
        if value is None and meant is not None and not _sized(param, said):
            value = meant
        found[param.name] = _by_level(param, said) if value is None else value
    found.update(_with_units(card, text))
    worded = {
        param.name: meant
        for param in card.params
        if param.name not in found and (meant := _worded(param, text)) is not None
    }
    return take_params(card, {**found, **worded, **_counts(card, text), **_chained(card, text)})


def _chained(card: Card, text: str) -> dict[str, float]:
    """What the goal wants done one after the other (`log in and delete the newest mail`), where the family can put those on end."""
    if card.chain is None:
        return {}
    params = {param.name: param for param in card.params}
    first, *later = (params[name] for name in card.chain.steps)
    clauses = [
        clause for clause in _JOINTS.split(text) if len(clause.split()) > 1
    ]  # `user name and password` are one thing
    meant = [value for clause in clauses if (value := _worded(first, clause)) is not None]
    fits = all(param.low <= value <= param.high for param in later for value in meant)
    if len(set(meant)) != len(meant) or not 1 < len(meant) <= len(card.chain.steps) or not fits:
        return {}
    return {**dict(zip(card.chain.steps, meant, strict=False)), card.chain.count: float(len(meant))}


def read_numbers(card: Card, text: str) -> tuple[dict[str, ParamValue], list[str]]:
    """Only the parameters that stand with a number in the words."""
    near = {param.name: _number_near(param, text) for param in _mentioned(card, tokens(text))}
    numbers = {name: value for name, value in near.items() if value is not None}
    return take_params(card, {**numbers, **_with_units(card, text), **_counts(card, text)})


def _worded(param: Parameter, text: str) -> float | None:
    """The value that the card's words for `param` ask for: the longest phrase of several words that the goal holds, else the first word.

    Whole words such as `h2o` come before parts of them.
    """
    phrases = sorted((phrase for phrase in param.words if " " in phrase), key=len, reverse=True)
    for phrase in phrases:
        if re.search(r"\b" + r"s?(?:\W+\w+){0,3}?\W+".join(map(re.escape, phrase.split())) + r"s?\b", text.lower()):
            return param.words[phrase]
    whole = re.findall(r"[a-z0-9]+(?:-[a-z0-9]+)*", text.lower())
    return next((param.words[word] for word in (*whole, *tokens(text)) if word in param.words), None)


def _sized(param: Parameter, said: Sequence[str]) -> bool:
    """True when a word of size stands one or two words before the parameter's noun: `strong wind`, `without any noise`."""
    sizes = {word for words, _ in _LEVELS for word in words}
    noun = nouns(param)[0]
    return any(_says(noun, [word]) and sizes & set(said[max(0, i - 2) : i]) for i, word in enumerate(said))


def _with_units(card: Card, text: str) -> dict[str, float]:
    """Numbers whose unit only one parameter has: `2.2 A` for a bond length in angstrom."""
    found: dict[str, float] = {}
    for unit, pattern in _UNITS.items():
        owners = [param.name for param in card.params if param.unit == unit]
        match = re.search(rf"(?<![\w.])(\d+(?:\.\d+)?)\s*{pattern}", text)
        if match and len(owners) == 1:
            found[owners[0]] = float(match[1])
    return found


def _counts(card: Card, text: str) -> dict[str, float]:
    """Whole numbers that stand right before the one word that a parameter is called by: `eight drones`."""
    plain = re.sub(r"\b(" + "|".join(_DIGITS) + r")\b", lambda match: str(_NUMBERS[match[1]]), text.lower())
    counted = {
        param.name: param.name.removesuffix("s") for param in card.params if param.integer and len(nouns(param)) == 1
    }
    found = {name: re.search(rf"\b(\d+)\s+(?:\w+\s+)?{re.escape(word)}s?\b", plain) for name, word in counted.items()}
    return {name: float(match[1]) for name, match in found.items() if match}


def is_named(param: Parameter, card: Card, text: str) -> bool:
    """True when the words name the parameter itself."""
    return any(param.name == named.name for named in _mentioned(card, tokens(text)))


def tells_size(text: str) -> bool:
    """True when the words hold a number or a word of size, so that some parameter may be meant in other words."""
    said = set(tokens(text))
    sizes = {word for words, _ in _LEVELS for word in words}
    return bool(said & sizes) or any(word[0].isdigit() for word in said)


def read_success(text: str) -> float | None:
    """The share of episodes that must succeed, when the words name one: `95%`, `nine times out of ten`, `always`."""
    lower = text.lower()
    if match := _PERCENT.search(lower):
        rate = float(match[1]) / 100.0
    elif match := _OUT_OF.search(lower):
        rate = _count(match[1]) / _count(match[2])
    elif re.search(r"\b(always|every time|never fails?)\b", lower):
        rate = 0.95
    else:
        return None
    return rate if 0.05 <= rate <= 1.0 else None


def read_budget(text: str) -> Budget:
    """Limits that the goal's words set: `in five minutes`, `within 200k steps`, `for 2 dollars`. None where they set none.

    Money in the words of a purchase is what the thing may cost and no limit, unless the words say so: `2 dollars for the model`.
    """
    lower = text.lower()
    wall = _DURATION.search(lower)
    steps = _STEPS.search(lower)
    is_purchase = _PURCHASE.search(lower) is not None
    money = next((m for m in _MONEY.finditer(lower) if not is_purchase or _SPENDING.match(lower[m.end() :])), None)
    factor = {"k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6}.get(steps[2] or "", 1.0) if steps else 1.0
    env_steps = round(float(steps[1]) * factor) if steps else 0
    return Budget(
        wall_s=_count(wall[1]) * _SECONDS[wall[2]] if wall else None,
        env_steps=env_steps if env_steps >= 1000 else None,
        money_usd=(float(money[1] or money[2]) or None) if money else None,
    )


def is_open(text: str) -> bool:
    """True for a goal without an end: `see how far it gets`, `learn as much as you can`."""
    return bool(_OPEN.search(_NOTHING.sub("", text.lower())))


def _mentioned(card: Card, said: Sequence[str]) -> Iterable[Parameter]:
    """Parameters named in full; one that is off by default (an obstacle) also by its first noun, which turns it on."""
    taken: set[str] = set()
    for param in sorted(card.params, key=lambda param: param.step <= 0):
        first, *rest = nouns(param)
        named = any(word in said for word in rest)
        if _says(first, said) and (named or (param.step > 0 and param.default == param.low and first not in taken)):
            taken.add(first)
            yield param


def _says(noun: str, said: Sequence[str]) -> bool:
    return any(
        word == noun or (len(word) >= 4 and noun.startswith(word)) or (len(noun) >= 4 and word.startswith(noun))
        for word in said
    )


def _number_near(param: Parameter, text: str) -> float | None:
    """The number that stands with a parameter: `height 1.5`, `4 stair steps`, `1.2 m high stumps`, `stumps of 1.2`."""
    first, last = re.escape(nouns(param)[0]), re.escape(nouns(param)[-1])
    value, unit = r"(-?\d+(?:\.\d+)?)(?!\s*%)", r"\s*(?:m|metres?|meters?)?\s+(?:high|tall|wide|deep)?\s*"
    patterns = (
        rf"\b{last}\w*(?:\s+(?:of|is|to|at))?\s+{value}",
        rf"{value}{unit}(?:{first}\w*\s+)?{last}",
        rf"{value}{unit}{first}",
        rf"\b{first}\w*(?:\s+of)?\s+{value}",
    )
    plain = text.lower().replace("_", " ")
    match = next((found for pattern in patterns if (found := re.search(pattern, plain))), None)
    return float(match[1]) if match else None


def _by_level(param: Parameter, said: Sequence[str]) -> float:
    level = next((share for words, share in _LEVELS if any(word in said for word in words)), 0.5)
    easy, hard = (param.low, param.high) if param.step >= 0 else (param.high, param.low)
    return easy + level * (hard - easy)


def _count(word: str) -> float:
    return float(_NUMBERS.get(word, 0.0)) if word in _NUMBERS else float(word)
