"""`screen window` and `screen phases` from the command line, on the shipped energies."""

import json
import subprocess
import sys

import pytest
import yaml
from typer.testing import CliRunner

from screening.cli.app import app
from screening.errors import UserError

KEYS = {
    "formula", "potential", "reduction_V", "oxidation_V", "e_above_hull_eV_atom", "products_reduction",
    "products_oxidation",
}  # fmt: skip


def screen(*arguments: str, cwd=None):
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "160"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_window_writes_the_documented_json_and_names_both_sides(tmp_path):
    out = tmp_path / "window.json"
    result = screen("window", "LiNbO3", "--json", str(out))
    document = json.loads(out.read_text())
    assert set(document) >= KEYS
    assert (document["formula"], document["potential"]) == ("LiNbO3", "chgnet")
    assert document["reduction_V"] < document["oxidation_V"] == pytest.approx(3.84, abs=0.15)
    assert document["window"] == "own"
    assert document["e_above_hull_eV_atom"] < 0.025
    assert "Li3NbO4" in document["products_reduction"]
    assert "O2" in document["products_oxidation"]
    assert "Li3NbO4" in result.output
    assert "O2" in result.output


def test_metastable_composition_says_that_its_window_is_pinned(tmp_path):
    result = screen("window", "Li6PS5Cl0.5Br0.5", "--json", str(tmp_path / "w.json"))
    assert "pinned to the hull" in " ".join(result.output.split())
    document = json.loads((tmp_path / "w.json").read_text())
    assert document["window"] == "pinned"
    assert document["e_above_hull_eV_atom"] is None


def test_reaction_with_a_partner_is_printed_closed_and_open(tmp_path):
    out = tmp_path / "w.json"
    result = screen("window", "LiCoO2", "--with", "Li3PS4", "--json", str(out))
    closed, opened = json.loads(out.read_text())["reactions"]
    # -406 meV/atom to Li2S, Li3PO4, Li2SO4, Co9S8 with Materials Project data of 2018 (interface_stability README)
    assert closed["energy_eV_atom"] == pytest.approx(-0.406, abs=0.06)
    assert {"Li3PO4", "Li2S"} <= set(closed["products"])
    assert closed["voltage_V"] is None
    assert opened["voltage_V"] == 4.3
    assert "open at 4.3 V" in " ".join(result.output.split())


def test_plot_is_written_where_the_user_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    screen("window", "Li2S", "--plot")
    assert (tmp_path / "window-Li2S.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("LiXx",), "not a chemical formula"),
        (("Li",), "reference of the voltage"),
        (("LiPuO3",), "no compounds of Pu .*datasets/phases.*--substitute"),
        (("LiNbO3", "--with", "Nope"), "not a chemical formula"),
        (("LiNbO3", "--with", "Li1e400"), "power of ten"),
        (("Li1e400NbO3",), "power of ten"),
        (("Ar",), "no compound of Ar with Li .* is listed"),
        (("Cf",), "chgnet was not trained on Cf"),
        (("Se",), "no compound of Se with Li .* is listed"),
        (("Li2O.5Nb2O5",), "two ways"),
        (("LiNbO3", "--potential", "chgnett"), "chgnet"),
        (("LiNbO3", "--phases", "missing.json"), "missing.json"),
        (("LiNbO3", "--json", "/nowhere/at/all/w.json"), "folder of .* does not exist"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message):
    with pytest.raises(UserError, match=message):
        screen("window", *arguments)


def test_rounded_formula_is_read_as_its_fraction_and_plotted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = screen("window", "[Li0.833Mg0.083]NbO3", "--plot", "--json", "w.json")
    text = " ".join(result.output.split())
    assert "[Li0.833Mg0.083]NbO3 is read as [Li5/6Mg1/12]NbO3" in text
    assert "[Li5/6Mg1/12]NbO3: 1.84 to 3.86 V" in text
    assert (tmp_path / "window-[Li5of6Mg1of12]NbO3.png").stat().st_size > 5000


def test_a_quarantined_crystal_is_said_of_the_formula_and_of_a_partner(tmp_path):
    out = tmp_path / "w.json"
    text = " ".join(screen("window", "LiOH", "--with", "LiOH", "--json", str(out)).output.split())
    assert "pinned because the crystal LiOH is listed but quarantined (volume differs by" in text
    assert "LiOH is pinned to the hull because the crystal LiOH is listed but quarantined" in text
    document = json.loads(out.read_text())
    assert "quarantined" in document["why_pinned"]
    assert "quarantined" in document["reactions"][0]["why_pinned"]


@pytest.mark.parametrize(
    ("formula", "ends"), [("S", "2.22 to above 8"), ("O2", "3.23 to above 8"), ("Nb", "0.00 to above 8")]
)
def test_an_element_is_its_own_reference(formula, ends):
    text = " ".join(screen("window", formula).output.split())
    assert f"{formula}: {ends} (no limit found) V" in text
    assert "it is its own reference" in text


TOY = [
    ({"Li": 1}, -1.91, "mp-135-GGA"), ({"Nb": 1}, -10.1, "mp-75-GGA"), ({"O": 2}, -9.86, "mp-12957-GGA"),
    ({"Li": 2, "O": 1}, -15.0, "mp-1960-GGA"), ({"Nb": 2, "O": 5}, -59.5, "mp-x-GGA"),
    ({"Li": 1, "Nb": 1, "O": 3}, -39.1, "mp-3731-GGA"),
]  # fmt: skip


def toy_entries(path, *more):
    rows = [{"composition": c, "energy": e, "entry_id": i} for c, e, i in TOY]
    path.write_text(json.dumps([*rows, *more]))
    return str(path)


def test_own_entries_are_used_alone_and_never_called_the_potentials(tmp_path):
    out = tmp_path / "w.json"
    text = " ".join(
        screen("window", "LiNbO3", "--phases", toy_entries(tmp_path / "gga.json"), "--json", str(out)).output.split()
    )
    assert "LiNbO3: 1.29 to 4.98 V" in text
    assert "Energies and phases: " in text
    document = json.loads(out.read_text())
    assert (document["reduction_V"], document["oxidation_V"]) == pytest.approx((1.29, 4.975), abs=1e-3)
    assert document["potential"] is None
    text = " ".join(screen("window", "LiNb3O8", "--phases", toy_entries(tmp_path / "gga.json")).output.split())
    assert "no crystal of this composition is among the competing phases" in text


def test_r2scan_entries_among_gga_ones_are_refused_by_their_ids(tmp_path):
    odd = {"composition": {"Li": 2}, "energy": -4.66, "entry_id": "mp-135-r2SCAN", "parameters": {"run_type": "R2SCAN"}}
    with pytest.raises(UserError, match=r"mixed\.json.*mp-135-r2SCAN \(r2SCAN\) stand among GGA/GGA"):
        screen("window", "LiNbO3", "--phases", toy_entries(tmp_path / "mixed.json", odd))


def test_malformed_entries_file_is_refused_with_its_line(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('[\n {"composition": {"Li": 1}, "energy": -1.9},\n {"composition": {"Li": 1}}\n]\n')
    with pytest.raises(UserError, match=r"mine\.json.*line 3"):
        screen("window", "LiNbO3", "--phases", str(path))


def test_phases_list_shows_source_and_distance():
    output = " ".join(screen("phases", "list", "Li,Nb,O").output.split())
    assert "LiNbO3" in output
    assert "passed" in output


def test_phases_list_refuses_what_is_no_element():
    with pytest.raises(UserError, match="Xx in 'Li,Xx' is no element"):
        screen("phases", "list", "Li,Xx")


def test_phases_entry_turns_a_file_into_yaml(tmp_path):
    from pymatgen.core import Lattice, Structure

    path = tmp_path / "NaCl.cif"
    Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]).to(str(path))
    (entry,) = yaml.safe_load(screen("phases", "entry", str(path), "--source", "recalled").output)
    assert (entry["formula"], entry["space_group"], entry["source"]) == ("NaCl", "Fm-3m", "recalled")
    with pytest.raises(UserError, match=r"nothing\.cif cannot be read"):
        screen("phases", "entry", str(tmp_path / "nothing.cif"), "--source", "x")


def test_help_needs_no_heavy_import():
    code = "import sys, screening.cli.app; print([m for m in ('torch', 'pymatgen', 'mlflow') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
