"""What a record rests on keeps its roles from writer to reader; records of old stores get theirs from positions."""

import json
from pathlib import Path

import pytest
from ase import Atoms
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from screening.engine.running.parts import BY_POSITION
from screening.engine.running.records import PotentialId, Record, record_from
from screening.engine.running.serialise import from_json, to_json
from screening.engine.running.store import RecordStore
from screening.engine.tasks import Result
from screening.errors import UserError
from screening.properties.adhesion.details import AdhesionParts, SegregationParts
from screening.properties.migration.details import MigrationParts
from screening.properties.stability.records import BulkParts, DelithiationParts

STORED = json.loads((Path(__file__).parent / "data" / "records-by-position.json").read_text())
CHGNET = PotentialId("chgnet", "0" * 64)
STEPS = {
    "bulk": "bulk/relax",
    "delithiated": "stability/delithiate",
    "ends": "migration/end",
    "bands": "migration/band",
}


def old_record(prop: str, candidate: str = "Mg_Li-vLi-1of12") -> Record:
    (found,) = [r for r in STORED["records"] if (r["property"], r["candidate"]) == (prop, candidate)]
    return Record.from_dict(found)


def result(key: str) -> Result:
    return Result(
        key=key, atoms=Atoms("Li"), energy=-1.0, fmax=0.01, converged=True, n_steps=1, n_force_calls=2, wall_s=0.5
    )


def written(parts, prop="anything") -> Record:
    return record_from("Mg", prop, 1.0, "eV", potential_id=CHGNET, results=parts)


KEYS = st.lists(st.text("0123456789abcdef", min_size=1, max_size=6), max_size=4).map(tuple)
KEY = st.text("0123456789abcdef", min_size=1, max_size=6)
PARTS = st.one_of(
    st.builds(AdhesionParts, interfaces=KEYS, substrates=KEYS, coating=KEY),
    st.builds(SegregationParts, inner=KEY, contact=KEY),
    st.builds(MigrationParts, ends=KEYS, bands=KEYS),
    st.builds(BulkParts, bulk=KEY),
    st.builds(DelithiationParts, bulk=KEY, delithiated=KEY),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PARTS)
def test_a_reader_gets_the_roles_that_the_writer_gave(parts):
    made = written(
        type(parts)(
            **{
                role: tuple(map(result, value)) if isinstance(value, tuple) else result(value)
                for role, value in vars(parts).items()
            }
        )
    )
    again = Record.from_dict(from_json(to_json(made.to_dict())))
    assert again.parts(type(parts)) == parts
    assert again == made


def test_roles_survive_the_store(tmp_path):
    parts = AdhesionParts(interfaces=(result("i0"), result("i1")), substrates=(result("s"),) * 2, coating=result("c"))
    RecordStore(tmp_path / "store.db").put_record(written(parts))
    (found,) = RecordStore(tmp_path / "store.db").records()
    assert found.structure == {"interfaces": ("i0", "i1"), "substrates": ("s", "s"), "coating": ("c",)}
    assert (found.n_force_calls, found.wall_s) == (10, 2.5)


# -- records of stores from before roles were stored ---------------------------------------------------------------


@pytest.mark.parametrize("index", range(len(STORED["records"])))
def test_old_records_are_written_back_as_they_were(index):
    stored = STORED["records"][index]
    assert from_json(to_json(Record.from_dict(stored).to_dict())) == stored


@pytest.mark.parametrize(
    ("prop", "kind"),
    [
        ("e_above_hull", BulkParts),
        ("oxidation_driving_force", BulkParts),
        ("delithiation_voltage", DelithiationParts),
        ("migration_barrier", MigrationParts),
        ("lowest_hop_barrier", MigrationParts),
    ],
)
def test_keys_of_old_records_get_the_role_of_the_step_that_made_them(prop, kind):
    record = old_record(prop)
    for role, keys in record.parts(kind).by_role().items():
        assert {STORED["results"][key]["step"] for key in keys} == {STEPS[role]}
    assert [key for keys in record.parts(kind).by_role().values() for key in keys] == list(
        record.structure[BY_POSITION]
    )


def test_bands_of_an_old_record_are_those_of_its_hops():
    for candidate in ("LiNbO3", "Mg_Li-vLi-1of12"):
        record = old_record("migration_barrier", candidate)
        bands = record.parts(MigrationParts[str]).bands
        assert len(bands) == len([hop for hop in record.details["hops"] if hop["used"]]) == 3
        assert all(STORED["results"][key]["images"] > 2 for key in bands)


@pytest.mark.parametrize("prop", ["work_of_adhesion", "adhesion_energy"])
def test_slabs_of_an_old_record_have_the_energies_of_its_details(prop):
    record = old_record(prop)
    parts = record.parts(AdhesionParts[str])
    energy = {key: stored["energy"] for key, stored in STORED["results"].items()}
    assert [energy[k] for k in parts.interfaces] == [o["interface_eV"] for o in record.details["orders"]]
    assert [energy[k] for k in parts.substrates] == [o["substrate_reference_eV"] for o in record.details["orders"]]
    assert energy[parts.coating] == min(record.details["coating_starts_eV"].values())


@pytest.mark.parametrize(
    ("prop", "kind"),
    [
        ("e_above_hull", BulkParts),
        ("delithiation_voltage", DelithiationParts),
        ("migration_barrier", MigrationParts),
        ("work_of_adhesion_eq", AdhesionParts),
    ],
)
def test_a_record_made_again_has_the_recipe_that_it_had_before_roles(prop, kind):
    old = old_record(prop)
    parts = old.parts(kind)
    results = {
        role: tuple(map(result, value)) if isinstance(value, tuple) else result(value)
        for role, value in vars(parts).items()
    }
    again = record_from(
        old.candidate, prop, old.value, old.unit, potential_id=CHGNET, results=kind(**results), details=old.details
    )
    assert again.recipe_hash == old.recipe_hash


# -- what does not belong together ---------------------------------------------------------------------------------


def with_structure(structure) -> Record:
    return Record.from_dict({**STORED["records"][0], "property": "work_of_adhesion", "structure": structure})


@pytest.mark.parametrize(
    ("structure", "kind", "words"),
    [
        ({"interfces": ["a"], "coating": ["c"]}, AdhesionParts, "'interfces' is none of its roles"),
        ({"interfaces": ["a"], "substrates": ["b"]}, AdhesionParts, "nothing is stored as its coating"),
        ({"bulk": ["a", "b"]}, BulkParts, "2 is stored as its bulk"),
        ({"bulk": ["a"], "delithiated": ["b"]}, BulkParts, "'delithiated' is none of its roles"),
        (["a", "b"], AdhesionParts, "2 structures"),
        (["a", "b", "c"], DelithiationParts, "3 structures in place of bulk, delithiated"),
        (["a", "b"], MigrationParts, "2 structures of 3 hops"),
        ([], BulkParts, "nothing is stored as its bulk"),
    ],
)
def test_a_wrong_role_is_an_error_in_words(structure, kind, words):
    with pytest.raises(UserError, match=f"work_of_adhesion of LiNbO3 .*{words}"):
        with_structure(structure).parts(kind)


@pytest.mark.parametrize("structure", ["abc", 3, [1], {"bulk": "abc"}, {"bulk": [1]}])
def test_structures_that_are_no_keys_are_refused(structure):
    with pytest.raises(ValueError, match="texts in lists"):
        with_structure(structure)


def test_a_record_without_results_rests_on_nothing():
    failed = record_from("Mg", "work_of_adhesion", None, "J/m2", potential_id=CHGNET, results=None, converged=False)
    assert failed.structure == {}
    assert written(MigrationParts(ends=(), bands=())).structure == {}
