"""Oracles of the tasks about numbers, shapes, words and colours that have to be understood."""

from __future__ import annotations

import re

from envs.web.backend import Element, Snapshot
from envs.web.oracle_tools import all_named, button, click, find, inputs, named, read, write
from envs.web.oracles import OracleLost, Script, oracle

_NAMES = {"circle": "circle", "rect": "rectangle", "polygon": "triangle"}
_SMALL = 15.0
"""Pixels below which a shape of the grid is a small one."""


@oracle("click-shape")
def click_shape(page: Snapshot) -> Script:
    wanted = read(page, r"Click on an? (.*)")[0].split()
    yield click(find(page, lambda e: _is_shape(e) and _fits(e, wanted), " ".join(wanted)))


@oracle("count-shape")
def count_shape(page: Snapshot) -> Script:
    wanted = read(page, r"How many (.*) are there")[0].split()
    wanted[-1] = wanted[-1].removesuffix("s")
    yield click(button(page, str(sum(_is_shape(e) and _fits(e, wanted) for e in page.elements))))


def _is_shape(element: Element) -> bool:
    return element.tag in (*_NAMES, "text")


def _fits(shape: Element, wanted: list[str]) -> bool:
    """Whether a shape is all that the words say: size, colour, and kind or text."""
    size = "small" if shape.box[3] < _SMALL else "large"
    kind = "shape" if shape.tag in _NAMES else "digit" if shape.text.isdigit() else "letter"
    told = {size, shape.attributes.split()[0], kind, _NAMES.get(shape.tag, shape.text), "item"}
    return all(word in told for word in wanted)


@oracle("click-shades")
def click_shades(page: Snapshot) -> Script:
    (colour,) = read(page, r"shades of (\w+)")
    count = len(all_named(page, colour))
    for place in range(count):
        page = yield click(all_named(page, colour)[place])
    yield click(button(page, "Submit"))


@oracle("click-pie", "click-pie-nodelay")
def click_pie(page: Snapshot) -> Script:
    (label,) = read(page, r'labeled "(.)"')
    page = yield click(find(page, lambda e: "wheelnav-divWheel-spreadertitle" in e.attributes, "middle"))
    for _ in range(8):
        wanted = find(page, lambda e: e.tag == "tspan" and e.text == label, label)
        page = yield click(wanted)


@oracle("visual-addition")
def visual_addition(page: Snapshot) -> Script:
    page = yield write(inputs(page)[0], str(len(all_named(page, "addition-block"))))
    yield click(button(page, "Submit"))


@oracle("simple-algebra")
def simple_algebra(page: Snapshot) -> Script:
    left, sign, right, total = read_sum(page)
    known = int(right if left == "x" else left)
    value = total - known if sign == "+" else total + known if left == "x" else known - total
    page = yield write(inputs(page)[0], str(value))
    yield click(button(page, "Submit"))


def read_sum(page: Snapshot) -> tuple[str, str, str, int]:
    """Left, sign, right and total of the equation on the page."""
    told = named(page, "math-problem").text
    found = re.fullmatch(r"(x|-?\d+) ([-+]) (x|-?\d+) = (-?\d+)", told)
    if not found:
        raise OracleLost(f"not an equation: {told!r}")
    return found[1], found[2], found[3], int(found[4])


@oracle("text-transform")
def text_transform(page: Snapshot) -> Script:
    word = "".join(e.text for e in page.elements if e.tag == "span")
    page = yield write(inputs(page)[0], word)
    yield click(button(page, "Submit"))


@oracle("find-greatest")
def find_greatest(page: Snapshot) -> Script:
    values = [int(e.text) for e in all_named(page, "card-value")]
    page = yield click(all_named(page, "card-value")[values.index(max(values))])
    yield click(button(page, "Submit"))


@oracle("generate-number")
def generate_number(page: Snapshot) -> Script:
    asked = re.search(r"(less|greater) than (\d+)|an (odd|even) number", page.instruction)
    if not asked:
        raise OracleLost(f"not a number to generate: {page.instruction!r}")
    for _ in range(25):
        page = yield click(named(page, "generate"))
        number = int(named(page, "display-number").text)
        fits = (
            number % 2 == (asked[3] == "odd")
            if asked[3]
            else number < int(asked[2])
            if asked[1] == "less"
            else number > int(asked[2])
        )
        if fits:
            yield click(button(page, "Submit"))
            return


_DIGITS = (
    "0110 1001 1001 1001 1001 1001 0110",
    "0010 0110 0010 0010 0010 0010 0010",
    "0110 1001 1001 0010 0100 1000 1111",
    "0110 1001 0001 0110 0001 1001 0110",
    "1000 1010 1010 1111 0010 0010 0010",
    "1111 1000 1000 1110 0001 1001 0110",
    "0110 1001 1000 1110 1001 1001 0110",
    "1111 1001 0001 0010 0010 0100 0100",
    "0110 1001 1001 0110 1001 1001 0110",
    "0110 1001 1001 0111 0001 1001 0110",
)
"""How a digit is drawn on four by seven boxes, as the task draws it beside them."""

_ALIKE = (
    "big large huge enormous gigantic", "small tiny little mini petite", "red scarlet crimson vermillion",
    "happy cheerful joyful gleeful delighted", "sad unhappy sorrowful miserable tragic", "angry mad furious irritated",
    "evil wicked immoral sinful corrupt depraved", "wrong incorrect mistaken erroneous", "real genuine actual",
    "strange odd peculiar unusual weird", "stop cease halt end finish", "scared terrified panicked fearful frightened afraid",
    "quiet calm peaceful serene mild", "old aged archaic", "love like adore favor", "kill murder assassinate",
    "keep retain preserve sustain maintain", "hide conceal camouflage", "hate despise loathe detest dislike",
    "funny humorous amusing comical laughable", "fat fleshy plump chubby", "stupid dumb dull unwise",
    "delicious savory delectable appetizing", "cut slice carve chop", "brave courageous fearless", "begin start initiate launch",
    "answer reply response", "television televisions TV TVs", "house home houses homes", "fire flame fires flames",
    "pig pork swine", "rabbit rabbits bunny bunnies", "car cars automobile automobiles vehicle vehicles", "water",
)  # fmt: skip
"""Words that mean the same."""


@oracle("click-checkboxes-soft")
def click_checkboxes_soft(page: Snapshot) -> Script:
    (listed,) = read(page, r"similar to (.*) and click")
    alike = {
        word for given in listed.split(", ") for group in _ALIKE if given in group.split() for word in group.split()
    }
    for box in [e for e in page.elements if e.tag == "input:checkbox" and e.around in alike]:
        page = yield click(box)
    yield click(button(page, "Submit"))


@oracle("number-checkboxes")
def number_checkboxes(page: Snapshot) -> Script:
    (digit,) = read(page, r'number "(\d)"')
    for place, wanted in enumerate(_DIGITS[int(digit)].replace(" ", "")):
        if wanted == "1":
            page = yield click([e for e in page.elements if e.tag == "input:checkbox"][place])
    yield click(button(page, "Submit"))
