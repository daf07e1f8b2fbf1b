"""Output never raises and never loses anything, whatever the encoding and the width of the terminal."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from screening.cli import terminal
from screening.report.console import WholeConsole, make_console
from screening.report.table import ranking_table

NAMES = ("Mg_Li-vLi-Zr_Nb-iLi-co-doped-1of24", "Mg_Li-vLi-Zr_Nb-iLi-co-doped-2of24")
ENCODINGS = ("ascii", "latin-1", "cp437", "koi8-r", "utf-8")


@pytest.fixture(autouse=True)
def _no_width_of_the_caller(monkeypatch):
    """Whoever starts the tests may have set one."""
    monkeypatch.delenv("COLUMNS", raising=False)


def printed(code: str, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Standard output and error of a process that prepared its terminal as every command does."""
    script = f"from screening.cli import terminal; terminal.prepare()\n{code}"
    kept = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LANG", "LC_ALL", "PYTHONIOENCODING")}
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, cwd=tmp_path, env={**kept, **environment}, check=False
    )


def row(name: str) -> dict[str, object]:
    columns = ("work_of_adhesion_min_J_m2", "migration_barrier_eV", "oxidation_driving_force_eV_atom")
    values = dict.fromkeys((*columns, "e_above_hull_eV_atom"), 0.1234)
    values |= {f"{c}_{end}": v for c in columns for end, v in (("low", 0.1), ("high", 0.2))}
    return {
        "rank": 1, "pareto": True, "candidate": name, "x": 1 / 12, "score": 0.5, "flags": [], "dopants": "Mg",
        "window_reduction_V": 1.54, "window_oxidation_V": 3.86, **values,
    }  # fmt: skip


TABLE = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_terminal import NAMES, row
from screening.report.console import make_console
from screening.report.table import ranking_table
make_console().print(ranking_table([row(n) for n in NAMES]))
"""


@pytest.mark.parametrize("encoding", [*ENCODINGS, "ascii:strict"])
def test_any_encoding_prints_the_ranking(tmp_path, encoding):
    done = printed(TABLE, tmp_path, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode(encoding.partition(":")[0])
    assert all(name in text for name in NAMES)
    assert ("0.12 (0.10–0.20)" if encoding == "utf-8" else "0.12 (0.10-0.20)") in text


def test_the_c_locale_without_utf8_mode(tmp_path):
    done = printed(TABLE, tmp_path, LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"0.12 (0.10-0.20)" in done.stdout


@pytest.mark.parametrize(("text", "ascii_text"), [
    ("±–Å²→…×", "+/--A2->...x"), ("é ü", "e u"), ("漢", "?"), (os.fsdecode(b"caf\xe9.cif"), r"caf\xe9.cif"),
])  # fmt: skip
def test_characters_without_a_place_get_their_nearest(text, ascii_text):
    terminal.prepare()
    assert unicodedata.normalize("NFC", text).encode("ascii", terminal.ERRORS).decode() == ascii_text


def test_a_file_name_that_is_no_text_is_printed(tmp_path):
    code = "import os; from screening.report.console import make_console; make_console().print(os.fsdecode(b'a\\xff'))"
    done = printed(code, tmp_path, PYTHONIOENCODING="utf-8")
    assert (done.returncode, done.stdout) == (0, b"a\\xff\n")


@pytest.mark.parametrize("columns", [None, "0", "", "-5", "many", "20", "80", "9" * 30])
def test_no_width_loses_a_name_or_a_number(tmp_path, columns):
    done = printed(TABLE, tmp_path, **({} if columns is None else {"COLUMNS": columns}), PYTHONIOENCODING="utf-8")
    lines = done.stdout.decode().splitlines()
    header = next(line for line in lines if "candidate" in line)
    # a name may go on in the next line of its column, to its end; that of x is five wide
    column = slice(header.index("candidate"), header.index(" x ") - 4)
    assert "".join(NAMES) in "".join(line[column].strip() for line in lines[lines.index(header) + 2 :])
    assert "…" not in "".join(lines)
    assert sum(line.count("(0.10–0.20)") for line in lines) == 4


def test_a_pipe_has_no_edge():
    file = io.StringIO()
    WholeConsole(file=file).print("word " * 100)
    assert file.getvalue().count("\n") == 1


def test_cells_are_never_cut_and_brackets_never_markup(monkeypatch):
    file = io.StringIO()
    console = WholeConsole(file=file, force_terminal=True, width=20, color_system=None)
    table = Table("candidate", "formula")
    table.add_row(NAMES[0], "[Li0.833Mg0.083]NbO3")
    console.print(table)
    console.print("[Li0.833Mg0.083]NbO3 :x:")
    text = file.getvalue()
    assert NAMES[0] in text
    assert text.count("[Li0.833Mg0.083]NbO3") == 2
    assert ":x:" in text
    assert console.width == 20


def test_a_wide_terminal_keeps_its_width():
    file = io.StringIO()
    console = WholeConsole(file=file, force_terminal=True, width=200, color_system=None)
    console.print(ranking_table([row(NAMES[0])]))
    console.print(Text("a " * 150))
    assert max(len(line) for line in file.getvalue().splitlines()) <= 200


def test_dumb_and_colourless_terminals(monkeypatch, capsys):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("NO_COLOR", "1")
    make_console().print(ranking_table([row(NAMES[0])]))
    out = capsys.readouterr().out
    assert NAMES[0] in out
    assert "\x1b" not in out


def test_a_width_that_fills_the_memory_is_none(tmp_path):
    done = printed("import os; print(os.environ.get('COLUMNS'))", tmp_path, COLUMNS="99999999999")
    assert done.stdout.decode().strip() == "None"


def test_the_backend_of_a_notebook_is_not_asked_for(tmp_path):
    code = "import matplotlib.pyplot; print(matplotlib.get_backend().lower())"
    done = printed(code, tmp_path, MPLBACKEND="module://of_a_notebook.that_is_not_here")
    assert done.stdout.decode().strip() == "agg"
