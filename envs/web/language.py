"""The intermediate language between who plans and who grounds: one action a line, elements in words, no coordinates, no numbers.

    click("the blue Send button")      select("month list", "May")      scroll("down")
    type("user name field", "bob")     copy("the code in the table")    press("Enter")
    paste("the answer field")          done()

After AutoGLM (arXiv 2411.00820): the planner says what to act on, the grounder finds it (grounding.py), and either can be replaced
alone. The text is parsed by hand and never evaluated. Strings stand in double or single quotes with the escapes \\" \\' \\\\ \\n \\t
\\uXXXX \\UXXXXXXXX; `print_line` writes the one canonical spelling, and what it prints parses to the same line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from envs.web.actions import KEYS

LONGEST = 200
"""Characters of one string."""
MOST_LINES = 20


class LanguageError(ValueError):
    """A line is not in the language; the message is one line, fit for a model's eyes."""


class Word(StrEnum):
    """The verbs."""

    CLICK = "click"
    TYPE = "type"
    """Replace the content of an input by a text."""
    PASTE = "paste"
    """Replace it by what was last copied."""
    SELECT = "select"
    """Choose an option of a list."""
    COPY = "copy"
    SCROLL = "scroll"
    PRESS = "press"
    DONE = "done"


_GIVEN: dict[Word, tuple[str, ...]] = {
    Word.CLICK: ("element",),
    Word.TYPE: ("element", "text"),
    Word.PASTE: ("element",),
    Word.SELECT: ("list", "option"),
    Word.COPY: ("element",),
    Word.SCROLL: ('"up" or "down"',),
    Word.PRESS: ("key",),
    Word.DONE: (),
}
_CHOICES = {Word.SCROLL: ("up", "down"), Word.PRESS: KEYS}
_HEAD = re.compile(r"\s*([A-Za-z_]\w*)\s*\(\s*")
_STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"|' + r"'((?:[^'\\\n]|\\.)*)'")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_PLAIN = {'"': '"', "'": "'", "\\": "\\", "n": "\n", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a verb and up to two strings."""

    word: Word
    target: str = ""
    """The element, list, direction or key."""
    text: str = ""
    """What is typed, or the option that is chosen."""

    @property
    def given(self) -> tuple[str, ...]:
        """The strings that the verb takes."""
        return (self.target, self.text)[: len(_GIVEN[self.word])]


def parse_line(text: str) -> Line:
    """Read one line; raises `LanguageError` with one line that says what is wrong and what would be right."""
    line, at = _parse_at(text, 0)
    if text[at:].strip() not in ("", ";"):
        raise LanguageError(
            f"there is more after {usage(line.word)}: {text[at:].strip()[:40]!r}. Write one action a line."
        )
    return line


def parse_text(text: str) -> tuple[Line, ...]:
    """Read lines that stand in one text, parted by semicolons or line breaks, as `print_text` writes them."""
    lines: list[Line] = []
    at = 0
    while text[at:].strip():
        if len(lines) == MOST_LINES:
            raise LanguageError(f"the text has more than {MOST_LINES} lines.")
        line, at = _parse_at(text, at)
        parted = re.compile(r"[ \t]*(?:[;\n]\s*|\Z)").match(text, at)
        if parted is None:
            raise LanguageError(f"expected a semicolon before {text[at : at + 40]!r}.")
        lines.append(line)
        at = parted.end()
    return tuple(lines)


def make_line(word: Word, *strings: str) -> Line:
    """Build a line from its parts, checked like a parsed one."""
    if len(strings) != len(_GIVEN[word]):
        raise LanguageError(f"{word.value} takes {len(_GIVEN[word])} string(s), not {len(strings)}: {usage(word)}.")
    for string, what in zip(strings, _GIVEN[word], strict=True):
        if not string.strip():
            raise LanguageError(f"the {what} of {word.value} is empty: {usage(word)}.")
        if any(0xD800 <= ord(letter) <= 0xDFFF for letter in string):
            raise LanguageError(f"the {what} of {word.value} holds half a character (a surrogate).")
        if len(string) > LONGEST:
            raise LanguageError(f"the {what} of {word.value} has {len(string)} characters; at most {LONGEST} are read.")
    if word in _CHOICES and strings[0] not in _CHOICES[word]:
        same = [choice for choice in _CHOICES[word] if choice.lower() == strings[0].strip().lower()]
        if not same:
            raise LanguageError(f"{word.value} takes one of {', '.join(_CHOICES[word])}, not {strings[0][:40]!r}.")
        strings = (same[0],)
    return Line(word, *strings)


def parse_lines(texts: Iterable[str]) -> tuple[Line, ...]:
    """Read a plan; raises `LanguageError` naming the first line that is wrong, or when there are too many."""
    lines = []
    for number, text in enumerate((text for text in texts if text.strip()), start=1):
        if number > MOST_LINES:
            raise LanguageError(f"the plan has more than {MOST_LINES} lines.")
        try:
            lines.append(parse_line(text))
        except LanguageError as error:
            raise LanguageError(f"line {number}: {error}") from error
    return tuple(lines)


def print_line(line: Line) -> str:
    """The canonical spelling of a line."""
    return f"{line.word.value}({', '.join(_spell(string) for string in line.given)})"


def print_text(lines: Iterable[Line]) -> str:
    """Lines as one text, for the words of a subgoal."""
    return "; ".join(print_line(line) for line in lines)


def usage(word: Word) -> str:
    """How a verb is written, for messages and prompts."""
    shown = [what if what.startswith('"') else f'"{what}"' for what in _GIVEN[word]]
    return f"{word.value}({', '.join(shown)})"


def _parse_at(text: str, at: int) -> tuple[Line, int]:
    """The line that begins at `at`, and where the text goes on after it."""
    head = _HEAD.match(text, at)
    if head is None or head[1].lower() not in set(Word):
        name = head[1] if head else text[at:].strip()[:40]
        raise LanguageError(f"{name!r} is no action: write one of {', '.join(usage(word) for word in Word)}.")
    word = Word(head[1].lower())
    strings, end = _read_strings(text, head.end(), word)
    return make_line(word, *strings), end


def _read_strings(text: str, at: int, word: Word) -> tuple[list[str], int]:
    """The strings up to the closing bracket, and where the text goes on after it."""
    strings: list[str] = []
    while not text.startswith(")", at):
        found = _STRING.match(text, at)
        if found is None:
            raise LanguageError(f"cannot read {text[at : at + 40]!r}: strings stand in quotes, as in {usage(word)}.")
        strings.append(_unescape(found[1] if found[1] is not None else found[2]))
        at = found.end()
        at += len(text[at:]) - len(text[at:].lstrip())
        if text.startswith(",", at):
            at += 1
            at += len(text[at:]) - len(text[at:].lstrip())
        elif not text.startswith(")", at):
            raise LanguageError(f"no closing bracket after {strings[-1][:40]!r}: {usage(word)}.")
    return strings, at + 1


def _unescape(text: str) -> str:
    def plain(found: re.Match[str]) -> str:
        code = found[1]
        if len(code) > 1 and int(code[1:], 16) <= 0x10FFFF:
            return chr(int(code[1:], 16))
        if code not in _PLAIN:
            raise LanguageError(f"unknown escape \\{code}: write \\\", \\', \\\\, \\n, \\t, \\uXXXX or \\UXXXXXXXX.")
        return _PLAIN[code]

    return _ESCAPE.sub(plain, text)


def _spell(text: str) -> str:
    """`text` in double quotes; everything that is not printable is escaped."""
    out = []
    for letter in text:
        if letter in '"\\':
            out.append("\\" + letter)
        elif letter in "\n\t":
            out.append("\\n" if letter == "\n" else "\\t")
        elif letter.isprintable():
            out.append(letter)
        else:
            out.append(f"\\u{ord(letter):04x}" if ord(letter) <= 0xFFFF else f"\\U{ord(letter):08x}")
    return '"' + "".join(out) + '"'
