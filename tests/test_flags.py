"""No flag without an explanation: every one is made from the one table, and it explains none that is not made."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import screening
from screening.flags import FLAGS, entry_of, explained, flag, origin_flag
from screening.report.flags import flags_document

PACKAGE = Path(screening.__file__).parent
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "flags.py")


def calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node


def flag_places(tree: ast.AST) -> Iterator[ast.AST]:
    """Expressions whose text becomes a flag."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from (keyword.value for keyword in node.keywords if keyword.arg == "flags")
            if isinstance(node.func, ast.Attribute):
                owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
                if node.func.attr == "flag" or (node.func.attr in ("append", "extend") and owner == "flags"):
                    yield from node.args
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(t, ast.Name) and t.id.endswith("flags") for t in targets):
                yield node.value
        elif isinstance(node, ast.FunctionDef) and node.name.endswith("_flags"):
            yield from node.body


def raw_texts(place: ast.AST) -> Iterator[str]:
    """Strings that reach a flag without `flag`; those in comparisons, subscripts and other calls are something else."""
    if isinstance(place, ast.Call | ast.Compare | ast.Subscript | ast.Expr):
        return
    if isinstance(place, ast.JoinedStr):
        yield ast.unparse(place)
    elif isinstance(place, ast.Constant) and isinstance(place.value, str):
        yield place.value
    else:
        for child in ast.iter_child_nodes(place):
            yield from raw_texts(child)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_flags_are_made_from_the_table(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [text for place in flag_places(tree) for text in raw_texts(place)] == []
    for call in calls(tree, "flag"):
        forms = [n.value for n in ast.walk(call.args[0]) if isinstance(n, ast.Constant)]
        assert forms or isinstance(call.args[0], ast.Name)
        assert set(forms) <= set(FLAGS)


def test_the_check_above_sees_a_raw_flag() -> None:
    seen = [
        "def f(out, flags, thin):\n    flags.append('new')",
        "out.flag(f'missing:{x}')",
        "Record(flags=('new',) if thin else ())",
        "flags = [*old, 'new']",
        "def _state_flags(x):\n    return ['new'] if x else []",
    ]
    for text in seen:
        assert [raw for place in flag_places(ast.parse(text)) for raw in raw_texts(place)] != [], text
    fine = "flags = [flag('polar'), *([flag('reacted')] if 'x' in names else [])]"
    assert [raw for place in flag_places(ast.parse(fine)) for raw in raw_texts(place)] == []


def test_the_table_holds_no_flag_that_nothing_makes() -> None:
    made: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inside = [*calls(tree, "flag")] if path.name != "flags.py" else []
        made |= {str(n.value) for call in inside for n in ast.walk(call) if isinstance(n, ast.Constant)}
        if path.name == "collect.py":  # picks between two forms before the call
            made |= {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and n.value in FLAGS}
    origins = {"dft:{what}", "simulated:{what}", "corrected:{what}"}
    assert set(FLAGS) - made == origins


def test_an_unknown_flag_cannot_be_made() -> None:
    with pytest.raises(KeyError, match="has no entry"):
        flag("surprising")
    assert origin_flag("dft", "migration_barrier") == "dft:migration_barrier"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("thin_slab", "thin_slab"),
        ("reacted", "reacted"),
        ("reacted:y0.333", "reacted:{state}"),
        ("unconverged:migration_barrier", "unconverged:{what}"),
        ("unconverged:dft:work_of_adhesion_y1", "unconverged:{kind}:{what}"),
        ("dft:migration_barrier", "dft:{what}"),
        ("removed:max_e_above_hull=0.03", "removed:{name}={limit}"),
        ("removed:max_e_above_hull=0.03:unknown", "removed:{name}={limit}:unknown"),
        ("vacancy_orders:1of3", "vacancy_orders:{n}of{all}"),
        ("not_percolating_3d", "not_percolating_{dimension}d"),
        ("cutoff_520_eV", "cutoff_{cutoff}_eV"),
        ("left_out_2_unconverged_steps", "left_out_{n}_unconverged_steps"),
    ],
)
def test_a_flag_as_written_finds_its_meaning(text: str, form: str) -> None:
    entry = entry_of(text)
    assert entry is not None
    assert entry.form == form


def test_flags_of_a_ranking_once_each_unknown_ones_last() -> None:
    found = explained(["from_the_future", "thin_slab", "carrier_made", "thin_slab"])
    assert [text for text, _ in found] == ["thin_slab", "carrier_made", "from_the_future"]
    assert found[-1][1] is None


def test_the_shipped_example_is_explained() -> None:
    import csv

    path = PACKAGE.parent / "docs" / "example-ranking.csv"
    with path.open(encoding="utf-8") as file:
        flags = {text for row in csv.DictReader(file) for text in row["flags"].split(";") if text}
    assert flags
    assert {text for text in flags if entry_of(text) is None} == set()


def test_the_document_is_that_of_the_table() -> None:
    assert (PACKAGE.parent / "docs" / "flags.md").read_text(encoding="utf-8") == flags_document()
