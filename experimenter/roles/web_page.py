"""A page as text for a model: numbered elements inside a frame that nothing on the page can close. Page text is data.

Every piece of the page is cut, freed of what cannot be seen (control, direction and other format characters), and written as a JSON
string in which `<`, `>` and the opening bracket of `[INST` are escaped too. So between `<page>` and `</page>` stands no bracket of
ours, no line break, and no mark that a chat template or a tokeniser could take for its own. What a frame cannot do is make a model
wise: one that obeys the page all the same is limited by what actions exist, see web_agent.py.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence

from envs.web.backend import Element, Snapshot
from envs.web.encoding import KINDS, kind_of

LONGEST_TEXT = 80
LONGEST_AROUND = 60
LONGEST_WORDS = 40
LONGEST_PAGE = 6000
"""Characters of a whole page; elements that do not fit any more are counted, not shown."""
_MARKS = re.compile(r"[<>]|\[(?=/?INST)")


def frame_page(page: Snapshot, slots: Sequence[Element]) -> str:
    """The elements that actions can name, one a line by number, between `<page>` and `</page>`."""
    lines: list[str] = []
    left = LONGEST_PAGE
    for number, element in enumerate(slots):
        line = f"{number} {_tell(element)}"
        left -= len(line) + 1
        if left < 0:
            lines.append(f"({len(slots) - number} more elements)")
            break
        lines.append(line)
    if page.clipboard:
        lines.append(f"copied: {shield(page.clipboard, LONGEST_TEXT)}")
    return "\n".join(["<page>", *(lines or ["(empty)"]), "</page>"])


def frame_task(instruction: str, longest: int = 1000) -> str:
    """The instruction between `<task>` and `</task>`, shielded like page text."""
    return f"<task>{shield(instruction, longest)}</task>"


def shield(text: str, longest: int) -> str:
    """`text` as a JSON string of one line without anything invisible, cut after `longest` characters."""
    seen = "".join(" " if letter.isspace() else letter for letter in text if _is_visible(letter))
    flat = " ".join(seen.split())
    cut = flat if len(flat) <= longest else flat[: longest - 1] + "…"
    return _MARKS.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(cut, ensure_ascii=False))


def tell_element(element: Element) -> str:
    """One element in words, without its number."""
    return _tell(element)


def _is_visible(letter: str) -> bool:
    return letter.isspace() or not unicodedata.category(letter).startswith("C")


def _tell(element: Element) -> str:
    kind = (
        "checkbox"
        if element.tag == "input:checkbox"
        else "radio"
        if element.tag == "input:radio"
        else KINDS[kind_of(element)]
    )
    parts = [kind]
    if element.text:
        parts.append(shield(element.text, LONGEST_TEXT))
    if element.value or element.editable:
        parts.append(f"value {shield(element.value, LONGEST_TEXT)}")
    if element.attributes:
        parts.append(f"named {shield(element.attributes, LONGEST_WORDS)}")
    if element.around and not element.text:
        parts.append(f"beside {shield(element.around, LONGEST_AROUND)}")
    parts += [word for word in ("checked", "disabled", "focused") if getattr(element, word)]
    if element.clicks:
        parts.append("clicked" if element.clicks == 1 else f"clicked {element.clicks} times")
    return " ".join(parts)
