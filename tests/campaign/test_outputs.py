import csv
import json
import os

import numpy as np
import pytest
import yaml
from ase.build import bulk
from pymatgen.core import Structure

from screening.campaign import outputs
from screening.campaign.outputs import write_ranking, write_structures
from screening.campaign.ranking.ranking import rank
from screening.campaign.summary import candidate_from_dict, candidate_to_dict, write_summary
from screening.config import Settings
from screening.quantities.settings import RankingSettings

# the columns that readers of ranking.csv rely on, for y = 1 and 1/3
HEADER = (
    "rank,candidate,formula,dopants,site,x,work_of_adhesion_min_J_m2,work_of_adhesion_y1_J_m2,"
    "work_of_adhesion_y0.333_J_m2,work_of_adhesion_eq_min_J_m2,migration_barrier_eV,oxidation_driving_force_eV_atom,"
    "e_above_hull_eV_atom,window_reduction_V,window_oxidation_V,delithiation_voltage_V,score,pareto,converged,flags"
)


@pytest.fixture
def ranking(pristine, make_doped, make_full_set, make_record, soc):
    mg, zr = make_doped("Mg"), make_doped("Zr")
    records = [
        *make_full_set(pristine, (1.0, 0.9), 0.9, 0.05, 0.01),
        *make_full_set(mg, (1.3, 1.1), 1 / 3, 0.04, 0.005),
        *make_full_set(zr, (1.2, 0.8), 1.0, 0.06, 0.02)[:-1],
        make_record(
            mg.name, "work_of_adhesion", 1.1, 1 / 3, interval=(1.0, 1.2), flags=("thin_slab", "li_transferred")
        ),
        make_record(mg.name, "window_oxidation", 4.2),
        make_record(mg.name, "segregation_energy", 0.3, unit="eV"),
        make_record(mg.name, "migration_barrier_1d", 0.25, unit="eV"),
    ]
    return rank(records, [pristine, mg, zr], soc, RankingSettings())


def read(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_header_begins_in_the_promised_order(tmp_path, ranking):
    path, _ = write_ranking(tmp_path, ranking)
    header = read(path)[0]
    assert ",".join(header).startswith(f"{HEADER},")
    assert header[HEADER.count(",") + 1 :] == [
        *(f"work_of_adhesion_{y}_J_m2_{end}" for y in ("min", "y0.333") for end in ("low", "high")),
        "score_low",
        "score_high",
        *("x_requested", "x_bulk", "x_interface", "x_barrier", "compensation", "rank_low", "rank_high", "front"),
        *("reaction_energy_cathode_eV_atom", "reaction_energy_electrolyte_eV_atom"),
        *("migration_barrier_1d_eV", "lowest_hop_barrier_eV"),
        *("work_of_adhesion_eq_y1_J_m2", "work_of_adhesion_eq_y0.333_J_m2", "segregation_energy_eV"),
    ]


def test_four_states_of_charge_give_four_columns(tmp_path, pristine):
    path, _ = write_ranking(tmp_path, rank([], [pristine], [1, 2 / 3, 1 / 3, 0], RankingSettings()))
    header = read(path)[0]
    assert header[6:12] == [f"work_of_adhesion_{y}_J_m2" for y in ("min", "y1", "y0.667", "y0.333", "y0")] + [
        "work_of_adhesion_eq_min_J_m2"
    ]


def test_rows_of_the_csv(tmp_path, ranking):
    path, _ = write_ranking(tmp_path, ranking)
    header, *rows = read(path)
    first, _, last = (dict(zip(header, row, strict=True)) for row in rows)
    assert (first["rank"], first["candidate"], first["formula"]) == ("1", "Mg_Li-vLi-1of12", "[Li5/6Mg1/12]NbO3")
    assert first["flags"] == "thin_slab;li_transferred"
    assert first["migration_barrier_eV"] == "0.333333"
    assert (first["work_of_adhesion_min_J_m2_low"], first["work_of_adhesion_min_J_m2_high"]) == ("1", "1.2")
    assert (first["pareto"], first["converged"]) == ("True", "True")
    assert (last["rank"], last["score"], last["e_above_hull_eV_atom"], last["converged"]) == ("", "", "", "False")
    assert last["flags"] == "missing:e_above_hull"


def test_json_holds_the_same_content_typed(tmp_path, ranking):
    csv_path, json_path = write_ranking(
        tmp_path, ranking, settings=Settings(), skipped=[{"label": "Zr4+ on Li", "x": 0.25, "reason": "no Li left"}]
    )
    data = json.loads(json_path.read_text())
    header, *rows = read(csv_path)
    assert [c["name"] for c in data["columns"]] == header
    assert {c["name"]: c["unit"] for c in data["columns"]}["work_of_adhesion_min_J_m2_low"] == "J/m2"
    assert {c["name"]: c["unit"] for c in data["columns"]}["oxidation_driving_force_eV_atom"] == "eV/atom"
    assert {c["name"]: c["unit"] for c in data["columns"]}["migration_barrier_eV"] == "eV"
    for row, text in zip(data["rows"], rows, strict=True):
        for name, cell in zip(header, text, strict=True):
            if isinstance(row[name], float):
                assert float(cell) == pytest.approx(row[name], rel=1e-5)
            elif row[name] is None:
                assert cell == ""
    assert data["rows"][0]["flags"] == ["thin_slab", "li_transferred"]
    assert data["rows"][0]["migration_barrier_eV"] == 1 / 3
    assert data["settings"]["preset"] == Settings().preset
    assert data["skipped"][0]["reason"] == "no Li left"
    assert "ase" in data["versions"]


def test_summary_is_plain_yaml_that_is_updated(tmp_path, make_doped):
    path = tmp_path / "new" / "summary.yaml"
    candidate = make_doped("Mg", 2)
    write_summary(path, status="failed", reason="stopped", settings=Settings(), candidates=[candidate])
    write_summary(path, status="finished", reason=None, wall_s=np.float64(1.5), failures={"Mg": ("no force",)})
    data = yaml.safe_load(path.read_text())
    assert list(data) == ["status", "settings", "candidates", "wall_s", "failures"]
    assert (data["status"], data["wall_s"], data["failures"]) == ("finished", 1.5, {"Mg": ["no force"]})
    assert Settings(**data["settings"]) == Settings()
    assert data["candidates"][0]["formula"] == "[Li2/3Mg1/6]NbO3"
    assert candidate_from_dict(data["candidates"][0]) == candidate


def test_candidates_survive_the_round_trip(pristine, make_doped):
    for candidate in (pristine, make_doped("Mg"), make_doped("Ta", 3, "Nb")):
        assert candidate_from_dict(json.loads(json.dumps(candidate_to_dict(candidate)))) == candidate


def test_cif_holds_the_structure(tmp_path):
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    atoms.rattle(0.05, seed=1)
    (path,) = write_structures(tmp_path, {"Mg_Li-vLi-1of12/bulk": atoms})
    assert path == tmp_path / "Mg_Li-vLi-1of12" / "bulk.cif"
    structure = Structure.from_file(path)
    assert structure.composition.reduced_formula == "NaCl"
    np.testing.assert_allclose(structure.lattice.abc, atoms.cell.lengths(), atol=1e-4)
    np.testing.assert_allclose(
        np.sort(structure.distance_matrix[0]), np.sort(atoms.get_distances(0, range(8), mic=True)), atol=1e-3
    )


def test_structure_names_stay_in_their_folder(tmp_path):
    with pytest.raises(ValueError, match="leaves its folder"):
        write_structures(tmp_path / "structures", {"../elsewhere": bulk("Cu")})
    assert not (tmp_path / "elsewhere.cif").exists()


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "ranking.csv"
    outputs.write_text(path, "old")

    def no_space(_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="no space"):
        outputs.write_text(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["ranking.csv"]
