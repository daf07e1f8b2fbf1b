"""Phases from a user's file and from Materials Project snapshots, with real pymatgen entries and no network."""

import gzip
import json
import logging
import sys
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from monty.serialization import dumpfn
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import SETTINGS, Composition, Lattice, Structure
from pymatgen.entries.compatibility import MaterialsProject2020Compatibility
from pymatgen.entries.computed_entries import (
    CompositionEnergyAdjustment,
    ComputedEntry,
    ComputedStructureEntry,
    ConstantEnergyAdjustment,
    ManualEnergyAdjustment,
    TemperatureEnergyAdjustment,
)

from screening.errors import UserError
from screening.properties.stability import hull
from screening.properties.stability.foreign.entries_file import entries_from_file
from screening.properties.stability.foreign.materials_project import entries_from_mp

DAY = date(2026, 3, 1)


def computed(formula: str, energy: float, entry_id: str, **fields: Any) -> ComputedEntry:
    """Energy in eV for the whole formula as written."""
    return ComputedEntry(Composition(formula), energy, entry_id=entry_id, **fields)


def corrected(formula: str, energy: float, entry_id: str) -> ComputedEntry:
    """With the Materials Project's own oxide correction."""
    parameters = {"run_type": "GGA", "is_hubbard": False, "hubbards": {}, "potcar_symbols": ["PBE Li_sv", "PBE O"]}
    entry = computed(formula, energy, entry_id, parameters=parameters, data={"oxide_type": "oxide"})
    return MaterialsProject2020Compatibility(check_potcar=False).process_entry(entry)


@pytest.fixture
def oxides() -> list[ComputedEntry]:
    return [
        computed("Li3", -5.7, "mp-1-GGA", parameters={"run_type": "GGA"}),
        computed("O8", -39.6, "mp-2-GGA", parameters={"run_type": "GGA"}),
        computed("Li", -1.7, "mp-3-GGA", parameters={"run_type": "GGA"}),
        corrected("Li4O2", -28.5, "mp-4-GGA"),
    ]


@pytest.fixture
def niobates(oxides: list[ComputedEntry]) -> list[ComputedEntry]:
    return [
        *oxides,
        computed("Nb2", -20.2, "mp-5-GGA"),
        computed("LiNbO3", -40.0, "mp-6-GGA+U", parameters={"run_type": "GGA+U"}),
    ]


# ----- a user's own file


@pytest.mark.parametrize("name", ["mine.json", "mine.json.gz"])
def test_a_dumped_list_gives_corrected_energies_per_atom(tmp_path: Path, oxides, name: str) -> None:
    dumpfn(oxides, str(tmp_path / name))
    phases = {p.name: p for p in entries_from_file(tmp_path / name)}
    assert set(phases) == {"Li", "Li2O", "O2"}
    li2o = oxides[3]
    assert abs(li2o.correction) > 0.5
    assert phases["Li2O"].energy_per_atom == pytest.approx(li2o.energy_per_atom)
    assert phases["Li2O"].correction_per_atom == pytest.approx(li2o.correction / 6)
    assert dict(phases["Li2O"].composition) == {"Li": 2, "O": 1}
    assert (phases["Li2O"].formula, phases["Li2O"].key, phases["Li2O"].usable) == ("Li2O", "mp-4-GGA", True)
    assert dict(phases["O2"].composition) == {"O": 2}
    assert phases["O2"].energy_per_atom == pytest.approx(-39.6 / 8)
    origins = {p.origin for p in phases.values()}
    assert len(origins) == 1
    assert origins.pop().startswith(f"file:{name}@")


def test_the_lowest_entry_of_a_composition_is_kept(tmp_path: Path, oxides) -> None:
    dumpfn(oxides, str(tmp_path / "a.json"))
    lithium = next(p for p in entries_from_file(tmp_path / "a.json") if p.name == "Li")
    assert (lithium.energy_per_atom, lithium.key) == (pytest.approx(-1.9), "mp-1-GGA")


def test_origin_changes_with_the_content(tmp_path: Path, oxides) -> None:
    dumpfn(oxides, str(tmp_path / "a.json"))
    before = entries_from_file(tmp_path / "a.json")[0].origin
    dumpfn(oxides[:2], str(tmp_path / "a.json"))
    assert entries_from_file(tmp_path / "a.json")[0].origin != before


def test_every_kind_of_entry_and_both_layouts_are_read(tmp_path: Path) -> None:
    rocksalt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.2), ["Mg", "O"], [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
    shift = ConstantEnergyAdjustment(-2.0)
    whole = ComputedStructureEntry(rocksalt, -46.0, energy_adjustments=[shift], entry_id="mine")
    older = {"composition": {"Mg": 1, "S": 1}, "energy": -7.0, "correction": -0.5}
    rows = [whole.as_dict(), PDEntry(Composition("Mg2"), -3.0).as_dict(), older, PDEntry("Li", -1.9).as_dict()]
    (tmp_path / "a.json").write_text(json.dumps({"comment": ["[", {"entries": 1}], "entries": rows}))
    phases = {p.name: p for p in entries_from_file(tmp_path / "a.json")}
    assert phases["MgO"].energy_per_atom == pytest.approx(-48.0 / 8)
    assert phases["Mg"].energy_per_atom == pytest.approx(-1.5)
    assert phases["MgS"].energy_per_atom == pytest.approx(-7.5 / 2)
    assert phases["Li"].key == ""


@pytest.mark.parametrize(
    "adjustment",
    [
        ConstantEnergyAdjustment(-1.5),
        ManualEnergyAdjustment(-1.5),
        CompositionEnergyAdjustment(-0.25, 6, name="anion"),
        TemperatureEnergyAdjustment(-0.001, 300, 5, name="heat"),
    ],
    ids=lambda a: type(a).__name__,
)
def test_energy_adjustments_count_as_pymatgen_counts_them(tmp_path: Path, adjustment) -> None:
    entry = computed("Li4", -7.6, "mine", energy_adjustments=[adjustment, ConstantEnergyAdjustment(0.1)])
    dumpfn([entry], str(tmp_path / "a.json"))
    assert entry.correction == pytest.approx(-1.4)
    assert entries_from_file(tmp_path / "a.json")[0].energy_per_atom == pytest.approx(entry.energy_per_atom)


def test_phases_of_a_file_make_the_hull_that_pymatgen_makes(tmp_path: Path, niobates) -> None:
    dumpfn(niobates, str(tmp_path / "a.json"))
    phases = entries_from_file(tmp_path / "a.json")
    expected = PhaseDiagram(niobates).get_hull_energy_per_atom(Composition("Li3NbO4"))
    assert hull.decompose({"Li": 3, "Nb": 1, "O": 4}, phases).energy == pytest.approx(expected, abs=1e-6)


def test_fractional_and_charged_compositions_become_formula_units(tmp_path: Path) -> None:
    rows = [
        {"composition": {"Li": 5.5, "P": 1, "S": 4.5, "Cl": 1.5}, "energy": -50.0},
        {"composition": {"Li+": 4, "O2-": 2}, "energy": -28.0},
        {"composition": "MgCl2.6H2O", "energy": -90.0},
        {"composition": {"Li": 1}, "energy": -1.9},
    ]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    found = {frozenset(p.composition.items()): p.energy_per_atom for p in entries_from_file(tmp_path / "a.json")}
    assert found[frozenset({"Li": 11, "P": 2, "S": 9, "Cl": 3}.items())] == pytest.approx(-50.0 / 12.5)
    assert found[frozenset({"Li": 2, "O": 1}.items())] == pytest.approx(-28.0 / 6)
    assert found[frozenset({"Mg": 1, "Cl": 2, "H": 12, "O": 6}.items())] == pytest.approx(-90.0 / 21)


GOOD = '{"composition": {"Li": 1}, "energy": -1.9}'


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ('{"composition": {"Li": 1}}', "has no energy"),
        ('{"composition": {"Li": 1}, "energy": NaN}', "no finite energy"),
        ('{"composition": {"Li": 1}, "energy": 1e999}', "no finite energy"),
        ('{"composition": {"Li": 1}, "energy": "-1.9"}', "is no number"),
        ('{"composition": {"Li": 1}, "energy": -1.9, "correction": NaN}', "no finite correction"),
        ('{"energy": -1.9}', "has no composition"),
        ('{"composition": {}, "energy": -1.9}', "has no composition"),
        ('{"composition": {"Li": NaN}, "energy": -1.9}', "composition"),
        ('{"composition": {"Li": -1, "O": 2}, "energy": -1.9}', "negative"),
        ('{"composition": {"Qq": 1, "O": 2}, "energy": -1.9}', "Qq, which is no element"),
        ('{"composition": {"X": 1, "O": 2}, "energy": -1.9}', "X, which is no element"),
        ('{"@class": "Structure", "energy": -1.9}', "but Structure"),
        ('{"composition": {"Li": 1}, "energy": 1' + 400 * "0" + "}", "no finite energy"),
        ('{"@class": [], "composition": {"Li": 1}, "energy": -1.9}', "but []"),
        ("17", "but int"),
        ("[]", "but list"),
        (
            '{"composition": {"Li": 1}, "energy": -1.9, "energy_adjustments": [{"@module": "os", "@class": "system"}]}',
            "none of pymatgen's",
        ),
    ],
)
@pytest.mark.parametrize("layout", ["list", "dictionary"])
def test_a_bad_entry_is_refused_with_its_line(tmp_path: Path, bad: str, says: str, layout: str) -> None:
    path = tmp_path / "mine.json"
    lines = ["[", f"  {GOOD},", '  {"composition":', '     {"O": 2}, "energy": -9.8},', f"  {bad},", f"  {GOOD}", "]"]
    if layout == "dictionary":
        lines = ['{"about": "[{, by hand",', ' "entries":', *lines, "}"]
    path.write_text("\n".join(lines))
    line = next(number for number, text in enumerate(lines, 1) if text == f"  {bad},")
    with pytest.raises(UserError, match=rf"mine\.json, line {line}: entry 3 .*correct or remove it") as refusal:
        entries_from_file(path)
    assert says in str(refusal.value)


def test_a_slip_in_the_json_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(f"[\n {GOOD},\n {GOOD}\n {GOOD}\n]")
    with pytest.raises(UserError, match=r"mine\.json, line 4: no valid JSON .*dumpfn"):
        entries_from_file(path)


def test_files_without_phases_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.json cannot be read"):
        entries_from_file(tmp_path / "gone.json")
    path = tmp_path / "mine.json"
    for text in ("[]", "{}", '{"entries": []}', '{"entries": {"a": 1}}', "3"):
        path.write_text(text)
        with pytest.raises(UserError, match="no list of entries"):
            entries_from_file(path)
    path.write_text('[{"composition": {"Li": 2, "O": 1}, "energy": -14}]')
    with pytest.raises(UserError, match="none of the 1 entries is an element"):
        entries_from_file(path)
    (tmp_path / "cut.json.gz").write_bytes(gzip.compress(GOOD.encode() * 50)[:-12])
    with pytest.raises(UserError, match=r"cut\.json\.gz cannot be read"):
        entries_from_file(tmp_path / "cut.json.gz")
    (tmp_path / "text.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"text\.json cannot be read"):
        entries_from_file(tmp_path / "text.json")


def test_elements_without_an_elemental_entry_are_said(tmp_path: Path, niobates, caplog) -> None:
    dumpfn([e for e in niobates if e.reduced_formula not in ("Nb", "O2")], str(tmp_path / "a.json"))
    with caplog.at_level(logging.WARNING):
        entries_from_file(tmp_path / "a.json")
    assert "no elemental entry of Nb, O" in caplog.text


# ----- entries of more than one functional

R2SCAN = ConstantEnergyAdjustment(-9.0, name="MP GGA(+U)/r2SCAN mixing adjustment")
SCHEME = ConstantEnergyAdjustment(-9.0, cls={"@class": "MaterialsProjectDFTMixingScheme"})
ODD: list[tuple[dict[str, Any], str]] = [
    ({"parameters": {"run_type": "R2SCAN"}}, "r2SCAN"),
    ({"parameters": {"incar": {"METAGGA": "R2scan", "GGA": None}}}, "r2SCAN"),
    ({"parameters": {"run_type": "GGA", "incar": {"GGA": "PS"}}}, "PBEsol"),
    ({"data": {"incar": {"LHFCALC": True}}}, "hybrid"),
    ({"parameters": {"run_type": "r2SCAN"}}, "r2SCAN"),
    ({"data": {"run_type": "r2SCAN"}}, "r2SCAN"),
    ({"parameters": {"run_type": {"@class": "RunType", "value": "r2SCAN"}}}, "r2SCAN"),
    ({"parameters": {"run_type": "SCAN"}}, "SCAN"),
    ({"data": {"calc_type": "r2SCAN Static"}}, "r2SCAN"),
    ({"parameters": {"run_type": "HSE06"}}, "HSE"),
    ({"parameters": {"functional": "PBEsol"}}, "PBEsol"),
    ({"parameters": {"run_type": "PBE0"}}, "PBE0"),
    ({"parameters": {"run_type": "PBE-D3"}}, "PBE-D3"),
    ({"parameters": {"run_type": "LDA"}}, "LDA"),
    ({"data": {"thermo_type": "GGA_GGA+U_R2SCAN"}}, "mixing scheme"),
    ({"energy_adjustments": [R2SCAN]}, "mixing scheme"),
    ({"energy_adjustments": [SCHEME]}, "mixing scheme"),
]


@pytest.mark.parametrize(("fields", "says"), ODD)
def test_entries_of_another_functional_are_refused_by_their_ids(tmp_path: Path, niobates, fields, says) -> None:
    odd = [computed("Li2O", -99.0, "mine-1", **fields), computed("NbO2", -30.0, "mine-2", **fields)]
    dumpfn([*niobates, *odd], str(tmp_path / "a.json"))
    with pytest.raises(UserError, match="scale") as refusal:
        entries_from_file(tmp_path / "a.json")
    assert "mine-1, mine-2" in str(refusal.value)
    assert says in str(refusal.value)
    assert "mp-1-GGA" not in str(refusal.value)


def test_a_functional_in_the_id_counts_and_entries_without_id_have_their_place(tmp_path: Path, niobates) -> None:
    dumpfn([*niobates, computed("Li2O", -99.0, "mp-20-r2SCAN")], str(tmp_path / "a.json"))
    with pytest.raises(UserError, match="mp-20-r2SCAN"):
        entries_from_file(tmp_path / "a.json")
    nameless = ComputedEntry(Composition("Li2O"), -99.0, parameters={"run_type": "R2SCAN"})
    dumpfn([*niobates, nameless], str(tmp_path / "a.json"))
    with pytest.raises(UserError, match=f"entry {len(niobates) + 1} "):
        entries_from_file(tmp_path / "a.json")


def test_few_marked_entries_among_unmarked_ones_are_refused(tmp_path: Path) -> None:
    bare = [{"composition": {s: 1}, "energy": -2.0} for s in ("Li", "O", "Nb")]
    marked = {"composition": {"Li": 2, "O": 1}, "energy": -14.0, "entry_id": "m", "parameters": {"run_type": "R2SCAN"}}
    (tmp_path / "a.json").write_text(json.dumps([*bare, marked]))
    for any_functional in (False, True):
        with pytest.raises(UserError, match=r"m \(r2SCAN\) stand among some that do not name"):
            entries_from_file(tmp_path / "a.json", any_functional=any_functional)


@pytest.mark.parametrize("run_type", ["GGA", "GGA+U", "GGA_U", "PBE", "PBE+U", "gga"])
def test_gga_and_gga_u_are_one_scale(tmp_path: Path, niobates, run_type: str) -> None:
    more = computed("Li2O", -99.0, "mine", parameters={"run_type": run_type})
    dumpfn([*niobates, more], str(tmp_path / "a.json"))
    assert next(p for p in entries_from_file(tmp_path / "a.json") if p.name == "Li2O").key == "mine"


def test_a_file_of_one_other_functional_is_taken_only_where_nothing_else_is_compared(tmp_path: Path) -> None:
    rows = [
        computed(formula, energy, f"mp-{i}", parameters={"run_type": "R2SCAN"})
        for i, (formula, energy) in enumerate([("Li", -2.3), ("O2", -11.8), ("Li2O", -18.0)])
    ]
    dumpfn(rows, str(tmp_path / "a.json"))
    assert len(entries_from_file(tmp_path / "a.json", any_functional=True)) == 3
    with pytest.raises(UserError, match="holds r2SCAN energies, and the potential's are on the GGA/GGA"):
        entries_from_file(tmp_path / "a.json")


def test_uncorrected_oxides_among_corrected_ones_are_named(tmp_path: Path, niobates, caplog) -> None:
    dumpfn(niobates, str(tmp_path / "a.json"))
    with caplog.at_level(logging.WARNING):
        entries_from_file(tmp_path / "a.json")
    assert "not corrected while others like them are: mp-6-GGA+U hold O" in caplog.text


def test_one_id_for_different_entries_is_refused(tmp_path: Path, oxides) -> None:
    twice = computed("Li2O", -15.0, "mp-4-GGA")
    dumpfn([*oxides, twice], str(tmp_path / "a.json"))
    with pytest.raises(UserError, match="the id mp-4-GGA stands for different entries"):
        entries_from_file(tmp_path / "a.json")
    dumpfn([*oxides, *oxides], str(tmp_path / "a.json"))
    assert len(entries_from_file(tmp_path / "a.json")) == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"@class": "PhaseDiagram", "all_entries": []}', "holds a phase diagram"),
        ("[" * 100_000, "nested too deeply"),
        ('[{"composition": {"Li": 1}, "energy": ' + 5000 * "9" + "}]", "cannot be read"),
        ('[{"composition": {"Li": 1}, "energy": -1, "energy_adjustments": {"a": 1}}]', "no list"),
        ('[{"composition": {"Li": 1' + 400 * "0" + '}, "energy": -1}]', "composition"),
        ('[{"composition": "Li1e400", "energy": -1}]', "composition"),
        ('[{"composition": {"Li": null}, "energy": -1}]', "composition"),
    ],
)
def test_foreign_json_is_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match=says):
        entries_from_file(tmp_path / "a.json")


# ----- the Materials Project


class Fetch:
    """Stands for the download; keeps what it was asked for."""

    def __init__(self, entries: list[ComputedEntry]) -> None:
        self.entries = entries
        self.asked: list[list[str]] = []

    def __call__(self, elements: list[str]) -> list[dict[str, Any]]:
        self.asked.append(elements)
        return [e.as_dict() for e in self.entries if {el.symbol for el in e.composition.elements} <= set(elements)]


def offline(elements: list[str]) -> list[dict[str, Any]]:
    raise AssertionError(f"asked for {elements} although a snapshot holds them")


def test_a_system_is_fetched_once_and_used_offline_ever_after(tmp_path: Path, niobates) -> None:
    fetch = Fetch(niobates)
    first = entries_from_mp({"Nb", "O"}, cache=tmp_path / "mp", fetch=fetch, today=DAY)
    assert fetch.asked == [["Li", "Nb", "O"]]
    assert [p.name for p in tmp_path.joinpath("mp").iterdir()] == ["mp-Li-Nb-O-2026-03-01.json.gz"]
    assert [p.name for p in first] == ["Li", "Li2O", "LiNbO3", "Nb", "O2"]
    again = entries_from_mp({"Li", "Nb", "O"}, cache=tmp_path / "mp", fetch=offline, today=date(2027, 1, 1))
    assert again == first
    snapshot = json.loads(gzip.decompress((tmp_path / "mp" / "mp-Li-Nb-O-2026-03-01.json.gz").read_bytes()))
    assert {p.origin for p in first} == {f"mp:2026-03-01@{snapshot['sha256'][:12]}"}
    assert snapshot["thermo_types"] == ["GGA_GGA+U"]
    li2o = next(p for p in again if p.name == "Li2O")
    assert li2o.energy_per_atom == pytest.approx(niobates[3].energy_per_atom)
    assert li2o.correction_per_atom == pytest.approx(niobates[3].correction / 6)


def test_a_part_of_a_stored_system_is_not_fetched_and_holds_no_more(tmp_path: Path, niobates) -> None:
    entries_from_mp({"Nb", "O"}, cache=tmp_path, fetch=Fetch(niobates), today=DAY)
    assert [p.name for p in entries_from_mp({"O"}, cache=tmp_path, fetch=offline)] == ["Li", "Li2O", "O2"]


def test_more_elements_than_stored_are_fetched(tmp_path: Path, niobates) -> None:
    fetch = Fetch(niobates)
    entries_from_mp({"O"}, cache=tmp_path, fetch=fetch, today=DAY)
    entries_from_mp({"O", "Nb"}, cache=tmp_path, fetch=fetch, today=DAY)
    assert fetch.asked == [["Li", "O"], ["Li", "Nb", "O"]]
    assert len(list(tmp_path.iterdir())) == 2


def test_the_newest_snapshot_wins(tmp_path: Path, niobates) -> None:
    entries_from_mp({"Nb", "O"}, cache=tmp_path, fetch=Fetch(niobates), today=date(2026, 1, 31))
    entries_from_mp({"O"}, cache=tmp_path / "new", fetch=Fetch(niobates), today=DAY)
    for path in (tmp_path / "new").iterdir():
        path.rename(tmp_path / path.name)
    assert {p.origin[:13] for p in entries_from_mp({"O"}, cache=tmp_path, fetch=offline)} == {"mp:2026-03-01"}
    assert {p.origin[:13] for p in entries_from_mp({"Nb"}, cache=tmp_path, fetch=offline)} == {"mp:2026-01-31"}


def test_structures_are_not_stored(tmp_path: Path, oxides) -> None:
    lithium = Structure(Lattice.cubic(3.4), ["Li", "Li"], [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
    whole = ComputedStructureEntry(lithium, -3.9, entry_id="mp-9-GGA")
    phases = entries_from_mp({"O"}, cache=tmp_path, fetch=Fetch([*oxides, whole]), today=DAY)
    assert next(p for p in phases if p.name == "Li").key == "mp-9-GGA"
    text = gzip.decompress(next(tmp_path.iterdir()).read_bytes()).decode()
    assert "mp-9-GGA" in text
    assert "lattice" not in text


def test_no_r2scan_energy_gets_in(tmp_path: Path, oxides, caplog) -> None:
    named = ConstantEnergyAdjustment(-9.0, name="MP GGA(+U)/r2SCAN mixing adjustment")
    made = ConstantEnergyAdjustment(-9.0, cls={"@class": "MaterialsProjectDFTMixingScheme"})
    foreign = [
        computed("Li2O", -99.0, "mp-20-r2SCAN"),
        computed("Li2O", -99.0, "mp-21", parameters={"run_type": "R2SCAN"}),
        computed("Li2O", -99.0, "mp-22", data={"run_type": "r2SCAN"}),
        computed("Li2O", -99.0, "mp-23", data={"thermo_type": "GGA_GGA+U_R2SCAN"}),
        computed("Li2O", -99.0, "mp-24-GGA", energy_adjustments=[named]),
        computed("Li2O", -99.0, "mp-25-GGA", energy_adjustments=[made]),
    ]
    with caplog.at_level(logging.WARNING):
        phases = entries_from_mp({"O"}, cache=tmp_path, fetch=Fetch([*oxides, *foreign]), today=DAY)
    assert next(p for p in phases if p.name == "Li2O").key == "mp-4-GGA"
    assert "6 entries" in caplog.text
    assert "mp-20-r2SCAN, mp-21, mp-22, mp-23, mp-24-GGA and 1 more" in caplog.text


def test_the_term_between_gga_and_gga_u_belongs_to_the_scale(tmp_path: Path, oxides) -> None:
    plus_u = ConstantEnergyAdjustment(-2.0, name="MP2020 GGA/GGA+U mixing correction (Nb)")
    stable = computed("Li2O", -20.0, "mp-30-GGA+U", energy_adjustments=[plus_u])
    phases = entries_from_mp({"O"}, cache=tmp_path, fetch=Fetch([*oxides, stable]), today=DAY)
    assert next(p for p in phases if p.name == "Li2O").energy_per_atom == pytest.approx(-22.0 / 3)


def damage(path: Path, how: str) -> None:
    data = gzip.decompress(path.read_bytes())
    if how == "an energy changed":
        data = data.replace(b"-40.0", b"-41.0")
    elif how == "not JSON":
        data = data[:-20]
    elif how == "no checksum":
        data = json.dumps({key: value for key, value in json.loads(data).items() if key != "sha256"}).encode()
    elif how == "another scale":
        data = data.replace(b'["GGA_GGA+U"]', b'["R2SCAN"]')
    elif how == "a list":
        data = b"[]"
    packed = gzip.compress(data)
    path.write_bytes(packed[: len(packed) // 2] if how == "cut short" else packed)


@pytest.mark.parametrize(
    "how", ["an energy changed", "not JSON", "no checksum", "another scale", "a list", "cut short"]
)
def test_a_damaged_snapshot_is_refused(tmp_path: Path, niobates, how: str) -> None:
    entries_from_mp({"Nb", "O"}, cache=tmp_path, fetch=Fetch(niobates), today=DAY)
    damage(tmp_path / "mp-Li-Nb-O-2026-03-01.json.gz", how)
    with pytest.raises(UserError, match=r"mp-Li-Nb-O-2026-03-01\.json\.gz is damaged .*delete it"):
        entries_from_mp({"O"}, cache=tmp_path, fetch=offline)


def test_an_element_that_nobody_knows_leaves_no_snapshot(tmp_path: Path, oxides) -> None:
    with pytest.raises(UserError, match="elemental Qq"):
        entries_from_mp({"O", "Qq"}, cache=tmp_path, fetch=Fetch(oxides), today=DAY)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_download_leaves_nothing_half_written(tmp_path: Path) -> None:
    def broken(elements: list[str]) -> list[dict[str, Any]]:
        raise ConnectionError("no route")

    with pytest.raises(ConnectionError):
        entries_from_mp({"O"}, cache=tmp_path, fetch=broken, today=DAY)
    assert list(tmp_path.iterdir()) == []


def install_client(monkeypatch: pytest.MonkeyPatch, entries: list[ComputedEntry] | Exception) -> list[dict[str, Any]]:
    """A client with the names and the signature of mp-api; returns the calls made to it."""
    calls: list[dict[str, Any]] = []

    class MPRester:
        def __init__(self, api_key: str | None = None) -> None:
            calls.append({"api_key": api_key})

        def __enter__(self) -> "MPRester":
            return self

        def __exit__(self, *error: object) -> None:
            calls.append({"closed": True})

        def get_entries_in_chemsys(
            self, elements: list[str], additional_criteria: dict[str, Any] | None = None
        ) -> list[ComputedEntry]:
            calls.append({"elements": elements, **(additional_criteria or {})})
            if isinstance(entries, Exception):
                raise entries
            return entries

        def get_database_version(self) -> str:
            return "2026.02.03"

    package, client = ModuleType("mp_api"), ModuleType("mp_api.client")
    client.MPRester = MPRester  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mp_api", package)
    monkeypatch.setitem(sys.modules, "mp_api.client", client)
    return calls


def test_the_client_is_asked_for_one_scale_only(tmp_path: Path, oxides, monkeypatch) -> None:
    calls = install_client(monkeypatch, oxides)
    monkeypatch.setenv("MP_API_KEY", "k" * 32)
    phases = entries_from_mp({"O"}, cache=tmp_path, today=DAY)
    assert [p.name for p in phases] == ["Li", "Li2O", "O2"]
    assert calls == [{"api_key": "k" * 32}, {"elements": ["Li", "O"], "thermo_types": ["GGA_GGA+U"]}, {"closed": True}]
    assert json.loads(gzip.decompress(next(tmp_path.iterdir()).read_bytes()))["database_version"] == "2026.02.03"


def test_what_is_missing_for_a_download_is_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("MP_API_KEY", raising=False)
    monkeypatch.delitem(SETTINGS, "PMG_MAPI_KEY", raising=False)
    monkeypatch.setitem(sys.modules, "mp_api", None)
    with pytest.raises(UserError, match=r"pip install 'coatscreen\[mp\]'"):
        entries_from_mp({"O"}, cache=tmp_path)
    calls = install_client(monkeypatch, [])
    with pytest.raises(UserError, match="MP_API_KEY"):
        entries_from_mp({"O"}, cache=tmp_path)
    assert calls == []
    install_client(monkeypatch, ConnectionError("no route to host"))
    monkeypatch.setenv("MP_API_KEY", "k" * 32)
    with pytest.raises(UserError, match=r"did not answer for Li-O \(no route to host\)"):
        entries_from_mp({"O"}, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []
