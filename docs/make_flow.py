"""Draw docs/flow.svg, the picture of one session. Run it after changing the flow: python docs/make_flow.py"""

from __future__ import annotations

from pathlib import Path

BOXES: dict[str, tuple[int, int, str, str]] = {
    "goal": (20, 30, "read goal", "words -> family, rule, budget"),
    "recall": (230, 30, "recall", "skill that already does it?"),
    "propose": (440, 30, "propose", "tasks, admitted by rule"),
    "take": (650, 30, "take task", "split into subgoals"),
    "write": (650, 150, "write rewards", "k programs, screened, confined"),
    "race": (440, 150, "race", "arms x seeds, held-out fitness"),
    "judge": (230, 150, "judge", "statistics first, model above"),
    "certify": (20, 150, "certify", "unseen worlds, interval"),
    "library": (20, 270, "skill library", "policy + evidence, SQL"),
    "report": (230, 270, "report", "one HTML page"),
}
ARROWS: list[tuple[str, str, str]] = [
    ("goal", "recall", ""),
    ("recall", "propose", ""),
    ("propose", "take", ""),
    ("take", "write", ""),
    ("write", "race", ""),
    ("race", "judge", ""),
    ("judge", "certify", ""),
    ("certify", "library", ""),
    ("library", "report", ""),
]
WIDTH, HEIGHT = 180, 62


def centre(name: str) -> tuple[float, float]:
    x, y, _, _ = BOXES[name]
    return x + WIDTH / 2, y + HEIGHT / 2


def arrow(start: str, end: str, label: str) -> str:
    (x0, y0), (x1, y1) = centre(start), centre(end)
    if y0 == y1:
        sign = 1 if x1 > x0 else -1
        x0, x1 = x0 + sign * WIDTH / 2, x1 - sign * WIDTH / 2
    else:
        y0, y1 = y0 + HEIGHT / 2, y1 - HEIGHT / 2
    line = f'<path d="M{x0:.0f},{y0:.0f} L{x1:.0f},{y1:.0f}" class="a"/>'
    return line + (
        f'<text x="{(x0 + x1) / 2:.0f}" y="{(y0 + y1) / 2 - 6:.0f}" class="s" text-anchor="middle">{label}</text>'
        if label
        else ""
    )


def draw() -> str:
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 850 360" font-family="sans-serif" role="img" aria-label="The flow of one session">',
        '<defs><marker id="m" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z"/></marker></defs>',
        "<style>.b{fill:#eef4fb;stroke:#35618f}.t{font-size:15px;font-weight:600;fill:#1c1c1c}.s{font-size:11.5px;fill:#555}.a{fill:none;stroke:#333;marker-end:url(#m)}"
        ".r{stroke-dasharray:5 3}</style>",
        '<rect width="850" height="360" fill="#fff"/>',
    ]
    for x, y, title, text in BOXES.values():
        parts.append(f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="8" class="b"/>')
        parts.append(f'<text x="{x + WIDTH / 2:.0f}" y="{y + 26}" class="t" text-anchor="middle">{title}</text>')
        parts.append(f'<text x="{x + WIDTH / 2:.0f}" y="{y + 46}" class="s" text-anchor="middle">{text}</text>')
    parts += [arrow(*item) for item in ARROWS]
    parts.append(
        '<path d="M320,212 C320,250 740,250 740,212" class="a r"/><text x="530" y="254" class="s" text-anchor="middle">revise, with a reflection</text>'
    )
    parts.append(
        '<path d="M110,150 C110,112 530,128 530,92" class="a r"/><text x="300" y="110" class="s" text-anchor="middle">'
        "next task, until the goal or the budget is reached</text>"
    )
    parts.append(
        '<text x="440" y="296" class="s">Every step is journaled in SQL: kill -9 anywhere, then resume.</text>'
    )
    parts.append(
        '<text x="440" y="314" class="s">One ledger for all model calls; generated code only in the sandbox.</text>'
    )
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "flow.svg").write_text(draw())
