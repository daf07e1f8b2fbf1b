"""Draw the rooms of the code and the way of a candidate through them: python docs/draw_architecture.py

Layers are those of the import-linter contract in pyproject.toml, sentences those at the top of the rooms'
``__init__.py``, so that the picture says what the code says; a test compares it with what this script draws.
"""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from textwrap import wrap
from xml.sax.saxutils import escape

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "architecture.svg"

WAY = (
    ("cli", "typed"),
    ("chemistry", "candidate"),
    ("structures", "atoms"),
    ("properties", "tasks"),
    ("engine", "queue, store"),
    ("potentials", "energies, forces"),
    ("properties", "records"),
    ("campaign", "ranking"),
    ("report", "table, picture"),
    ("tracking", "MLflow"),
    ("validation", "DFT"),
    ("training_data", "frames"),
    ("retraining", "better potential"),
)
"""The rooms that a candidate passes, and as what; docs/architecture.md tells the steps by their numbers."""

WIDTH, LEFT, GAP, LINE = 940, 46, 10, 15
FONT = "font-family='Helvetica, Arial, sans-serif'"
COLOURS = ("#E8F1F8", "#FBEFE3", "#E8F4EE")


def contract_layers() -> list[list[str]]:
    """Rooms of each layer from the top, as the contract names them; what is in parentheses need not exist yet."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (contract,) = [contract for contract in settings["contracts"] if contract["id"] == "layers"]
    layers = [[name.strip() for name in layer.replace("|", ":").split(":")] for layer in contract["layers"]]
    return [[name for name in layer if (ROOT / "screening" / name).is_dir() or is_file(name)] for layer in layers]


def is_file(name: str) -> bool:
    return (ROOT / "screening" / f"{name}.py").is_file()


def sentence(room: str) -> str:
    """What the room says of itself: the first line of its docstring."""
    source = ROOT / "screening" / room / "__init__.py"
    path = source if source.is_file() else source.parent.with_suffix(".py")
    documented = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return documented.split("\n\n")[0].replace("\n", " ").replace("`", "")


def text(x: float, y: float, words: str, *, size: int = 12, weight: str = "normal", colour: str = "#222222") -> str:
    style = f"{FONT} font-size='{size}' font-weight='{weight}' fill='{colour}'"
    return f"<text x='{x:g}' y='{y:g}' {style}>{escape(words)}</text>"


def badge(x: float, y: float, number: int, words: str) -> list[str]:
    """A numbered step; returns the pieces, drawn from `x` to the right."""
    return [
        f"<circle cx='{x:g}' cy='{y:g}' r='9' fill='#0072B2'/>",
        f"<text x='{x:g}' y='{y + 4:g}' {FONT} font-size='11' fill='white' text-anchor='middle'>{number}</text>",
        text(x + 13, y + 4, words, size=11, colour="#0072B2"),
    ]


def box(room: str, x: float, y: float, width: float, height: float, colour: str) -> list[str]:
    """A room: its name, what it says of itself, and the steps of the way that lie in it."""
    drawn = [
        f"<rect class='room' x='{x:g}' y='{y:g}' width='{width:g}' height='{height:g}' rx='6' fill='{colour}' "
        "stroke='#888888'/>",
        text(x + 10, y + 19, room, size=14, weight="bold"),
    ]
    drawn += [text(x + 10, y + 37 + LINE * i, line, size=11) for i, line in enumerate(lines_of(room, width))]
    step = x + 40 + 9 * len(room)
    for number, (where, words) in enumerate(WAY, start=1):
        if where == room:
            drawn += badge(step, y + 14, number, words)
            step += 34 + 6 * len(words)
    return drawn


def lines_of(room: str, width: float) -> list[str]:
    return wrap(sentence(room), int((width - 20) / 5.6))


def draw() -> str:
    """The whole picture as SVG."""
    layers, y = contract_layers(), 10.0
    drawn: list[str] = []
    for i, layer in enumerate(layers):
        colour = COLOURS[i % len(COLOURS)]
        if i == len(layers) - 1:
            words = wrap(", ".join(layer) + ": read by all", int((WIDTH - LEFT - 30) / 6))
            height = 12.0 + LINE * len(words)
            drawn.append(
                f"<rect x='{LEFT}' y='{y:g}' width='{WIDTH - LEFT - 10}' height='{height:g}' rx='6' fill='{colour}' "
                "stroke='#888888'/>"
            )
            drawn += [text(LEFT + 10, y + 18 + LINE * k, line) for k, line in enumerate(words)]
        else:
            width = (WIDTH - LEFT - 10 - GAP * (len(layer) - 1)) / len(layer)
            height = 31.0 + LINE * max(len(lines_of(room, width)) for room in layer)
            for k, room in enumerate(layer):
                drawn += box(room, LEFT + k * (width + GAP), y, width, height, colour)
        y += height + GAP
    arrow = (
        f"<path d='M20 14 V{y - 22:g}' stroke='#555555' stroke-width='2' marker-end='url(#tip)'/>"
        f"<text {FONT} font-size='12' fill='#555555' text-anchor='middle' "
        f"transform='translate(38 {y / 2:g}) rotate(-90)'>imports run downwards only</text>"
    )
    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {y:g}' width='{WIDTH}' height='{y:g}'>",
        "<defs><marker id='tip' viewBox='0 0 10 10' refX='5' refY='5' markerWidth='5' markerHeight='5' orient='auto'>"
        "<path d='M0 0 L10 5 L0 10 z' fill='#555555'/></marker></defs>",
        "<rect width='100%' height='100%' fill='white'/>",
    )
    return "\n".join([*head, *drawn, arrow, "</svg>"]) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
