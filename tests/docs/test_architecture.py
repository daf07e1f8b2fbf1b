"""The picture of the layers is that of the contract which the linter holds, and the text tells the steps it shows."""

import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def drawing():
    spec = importlib.util.spec_from_file_location("draw_architecture", ROOT / "docs" / "draw_architecture.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def layers_of_the_contract():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (contract,) = [contract for contract in settings["contracts"] if contract["id"] == "layers"]
    # names in parentheses need not exist
    return [set(re.findall(r"(?<![\w(])\w+(?![\w)])", layer)) for layer in contract["layers"]]


def test_rooms_stand_in_the_layers_of_the_contract():
    """By their heights in the picture, whatever drew it."""
    tree = ElementTree.parse(ROOT / "docs" / "architecture.svg")
    heights: dict[float, set[str]] = {}
    for element in tree.iter(f"{SVG}text"):
        if element.get("font-weight") == "bold":
            heights.setdefault(float(element.get("y")), set()).add(element.text)
    *rooms, bottom = layers_of_the_contract()
    assert [heights[y] for y in sorted(heights)] == rooms
    last = max(tree.iter(f"{SVG}text"), key=lambda element: float(element.get("y") or 0))
    assert set(last.text.split(": ")[0].split(", ")) == bottom


def test_the_picture_is_what_the_script_draws(drawing):
    drawn = (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8")
    assert drawn == drawing.draw(), "run `python docs/draw_architecture.py`"


def test_the_text_tells_the_way_step_by_step(drawing):
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    told = re.findall(r"^\d+\. \*\*(\w+)\*\*", text, flags=re.MULTILINE)
    assert told == [room for room, _ in drawing.WAY]


def test_every_package_has_a_place_in_the_contract():
    placed = set().union(*layers_of_the_contract())
    packages = {path.parent.name for path in (ROOT / "screening").glob("*/__init__.py")}
    assert packages <= placed
