"""README and docs: short where they should be, and nothing in them points to what is not there."""

import csv
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *ROOT.glob("*/*/README.md")])
DOCUMENTS = [path for path in DOCUMENTS if not path.relative_to(ROOT).parts[0].startswith((".", "runs"))]

README_LINES, README_WIDTH = 75, 130
"""One screen and a half."""

LINK = re.compile(r"\]\(([^)\s#]+)[^)]*\)")
FOLDERS = "|".join(("screening", "docs", "tests", "benchmarks", "configs", "datasets"))
NAMED_PATH = re.compile(rf"(?<![\w/.:<-])(?:{FOLDERS})/[\w.*/-]*[\w*/]")
MODULE = re.compile(r"\bscreening(?:\.[a-z_]\w*)+")
STANDS_FOR_ANY = "NAME"
"""In a path: the reader's own name."""


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_the_readme_fits_one_screen_and_a_half():
    lines = text_of(ROOT / "README.md").splitlines()
    assert len(lines) <= README_LINES
    assert max(len(line) for line in lines if not line.startswith(("|", "!["))) <= README_WIDTH


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_paths_lead_somewhere(path):
    text = text_of(path)
    links = [link for link in LINK.findall(text) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []
    named = {name for name in NAMED_PATH.findall(text) if STANDS_FOR_ANY not in name}
    assert sorted(name for name in named if not list(ROOT.glob(name.rstrip("/")))) == []
    # a module, or a module and a name in it
    modules = {name for name in MODULE.findall(text) if "." in name}
    assert sorted(name for name in modules if not (is_module(name) or is_module(name.rpartition(".")[0]))) == []


def test_every_document_is_reached_from_the_readme():
    reached: set[Path] = set()
    ahead = [ROOT / "README.md"]
    while ahead:
        path = ahead.pop().resolve()
        if path not in reached:
            reached.add(path)
            links = [link for link in LINK.findall(text_of(path)) if "://" not in link and link.endswith(".md")]
            ahead += [path.parent / link for link in links]
    assert [
        str(path.relative_to(ROOT)) for path in DOCUMENTS if path.parent.name == "docs" and path not in reached
    ] == []


def headings(path: Path) -> set[str]:
    """Anchors that GitHub gives a document's headings."""
    lines = re.findall(r"^#+ (.*)$", text_of(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_to_headings_meet_one(path):
    anchors = re.findall(r"\]\(([^)\s#:]*)#([^)]+)\)", text_of(path))
    assert [anchor for file, anchor in anchors if anchor not in headings(path.parent / file if file else path)] == []


def test_every_decision_stands_below_a_heading_that_is_listed():
    text = text_of(ROOT / "docs" / "decisions.md")
    listed, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    assert re.findall(r"^- \[(.*)\]", listed, flags=re.MULTILINE) == [part.splitlines()[0] for part in sections]
    assert "**" not in listed
    for part in sections:
        paragraphs = part.strip().split("\n\n")[1:]
        assert paragraphs
        assert [words[:60] for words in paragraphs if not re.match(r"\*\*[^*]+\?\*\* ", words)] == []


def is_module(name: str) -> bool:
    stem = ROOT.joinpath(*name.split("."))
    return stem.with_suffix(".py").is_file() or (stem / "__init__.py").is_file()


def test_documents_are_found_and_the_patterns_see_what_they_should():
    assert {"README.md", "docs/validation.md", "datasets/dft/README.md"} <= {
        str(p.relative_to(ROOT)) for p in DOCUMENTS
    }
    line = "see `screening/flags.py`, docs/flags.md and [that](flags.md#top); runs/first/docs/x is none"
    assert NAMED_PATH.findall(line) == ["screening/flags.py", "docs/flags.md"]
    assert LINK.findall(line) == ["flags.md"]
    assert MODULE.findall("screening.report.flags, and screening alone") == ["screening.report.flags"]


def table_rows(document: str, formulas: set[str]) -> list[list[str]]:
    """Cells of the table rows that name one of the example's formulas."""
    rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in text_of(ROOT / document).splitlines()
            if line.startswith("|")]  # fmt: skip
    return [row for row in rows if formulas & set(row)]


@pytest.mark.parametrize(("document", "n"), [("README.md", 5), ("docs/example.md", 15)])
def test_the_printed_ranking_is_that_of_the_file(document, n):
    with (ROOT / "docs" / "example-ranking.csv").open(encoding="utf-8", newline="") as file:
        source = {row["formula"]: row for row in csv.DictReader(file)}
    rows = table_rows(document, set(source))
    assert len(rows) == n
    for row in rows:
        (formula,) = source.keys() & set(row)
        expected = source[formula]
        assert row[0] == (expected["rank"] or "–")
        # the host is named by its formula: the last one
        shown = row[len(row) - row[::-1].index(formula) :]
        names = ("work_of_adhesion_y1_J_m2", "work_of_adhesion_y0.333_J_m2", "migration_barrier_eV")
        for cell, name in zip(shown[:3], names, strict=True):
            low, high = (rounded(expected[f"{name}_{end}"], 2) for end in ("low", "high"))
            assert cell == (f"{rounded(expected[name], 2)} ({low} to {high})" if expected[name] else "")
        assert shown[3] == rounded(expected["oxidation_driving_force_eV_atom"], 3)
        assert shown[4] == rounded(expected["e_above_hull_eV_atom"], 3)
        assert shown[5:] in ([], [rounded(expected["score"], 2)])


def rounded(number: str, digits: int) -> str:
    return format(float(number), f".{digits}f") if number else ""
