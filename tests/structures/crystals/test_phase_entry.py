"""Structure to entry and back, isotypes, and what a malformed entry is told."""

from typing import Any

import pytest
import yaml
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from screening.errors import UserError
from screening.structures.crystals.phase_entry import entry_from_structure
from screening.structures.crystals.phases import load_phases, parse_facts, phase_structures, resolve_isotype

LIF = {
    "name": "LiF",
    "formula": "LiF",
    "space_group": "Fm-3m",
    "source": "recalled",
    "lattice": {"a": 4.03},
    "sites": [["Li", "4a", 0, 0, 0], ["F", "4b", "1/2", "1/2", "1/2"]],
}


@pytest.mark.parametrize("name", ["LiNbO3", "Li3NbO4", "NbO2", "MgNb2O6", "ZrO2", "Li2O2", "LiNb3O8"])
def test_a_listed_crystal_goes_to_an_entry_and_back(name):
    """From the primitive cell, through YAML, to the same crystal; NbO2 needs another origin than listed."""
    facts = next(f for f in load_phases() if f.name == name)
    atoms = phase_structures(facts)[0]
    structure = AseAtomsAdaptor.get_structure(atoms)
    entry = yaml.safe_load(yaml.safe_dump(entry_from_structure(structure, name=name, source="recalled")))
    back = parse_facts(entry)
    assert back.space_group == facts.space_group
    (again,) = phase_structures(back)
    assert StructureMatcher(scale=False).fit(structure, AseAtomsAdaptor.get_structure(again))


def test_partly_occupied_sites_are_refused():
    crystal = Structure(Lattice.cubic(4.1), [{"Li": 0.5, "Na": 0.5}], [[0, 0, 0]])
    with pytest.raises(UserError, match="ordered model"):
        entry_from_structure(crystal, name="x", source="recalled")


def test_isotype_takes_over_sites_and_chains():
    known: dict[str, dict[str, Any]] = {
        "LiF": LIF,
        "NaF": {"name": "NaF", "formula": "NaF", "isotype_of": "LiF", "replace": {"Li": "Na"}, "lattice": {"a": 4.63},
                "source": "prototype:LiF"},
        "NaCl": {"name": "NaCl", "formula": "NaCl", "isotype_of": "NaF", "replace": {"F": "Cl"}, "lattice": {"a": 5.64},
                 "source": "prototype:LiF"},
    }  # fmt: skip
    facts = parse_facts(resolve_isotype(known["NaCl"], known, where="test"))
    (atoms,) = phase_structures(facts)
    assert sorted(atoms.get_chemical_symbols()) == ["Cl", "Na"]
    assert facts.volume == pytest.approx(5.64**3 / 8)
    assert facts.space_group == 225


def test_isotype_of_an_ordering_replaces_species_on_the_parent():
    facts = {f.name: f for f in load_phases()}
    entry = {
        "name": "X", "formula": "LiTa3O8", "isotype_of": "LiNb3O8", "replace": {"Nb": "Ta"},
        "lattice": {"a": 4.75, "b": 5.72, "c": 5.033}, "source": "prototype:LiNb3O8",
    }  # fmt: skip
    known = {"LiNb3O8": facts["LiNb3O8"].entry}
    atoms = phase_structures(parse_facts(resolve_isotype(entry, known, where="test")))[0]
    assert atoms.get_chemical_formula(mode="hill", empirical=True) == "LiO8Ta3"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"isotype_of": "nothing", "sites": None}, "isotypic with nothing, which is not listed"),
        ({"isotype_of": "LiF", "sites": None, "replace": {"K": "Na"}}, "replaces K, which LiF does not hold"),
        ({"isotype_of": "LiF", "sites": None, "lattice": None}, "lacks lattice"),
        ({"latice": {"a": 4}}, "unknown key latice"),
        ({"space_group": "Fm-3x"}, "unknown space group 'Fm-3x'"),
        ({"sites": None}, "needs either sites or a parent"),
    ],
)
def test_malformed_entry_is_refused_with_its_file_and_name(change, message):
    entry = {k: v for k, v in {**LIF, "name": "bad", **change}.items() if v is not None}
    with pytest.raises(UserError, match=f"test.yaml.*bad.*{message}"):
        parse_facts(resolve_isotype(entry, {"LiF": LIF, "bad": entry}, where="test.yaml"), where="test.yaml")


def test_a_better_known_source_changes_no_hash():
    assert parse_facts({**LIF, "source": "read"}).facts_sha256 == parse_facts(LIF).facts_sha256
    assert parse_facts({**LIF, "dispersion_bound": True}).facts_sha256 != parse_facts(LIF).facts_sha256


def test_a_crystal_whose_symmetry_cannot_be_determined_is_refused_by_name():
    crystal = Structure(Lattice.cubic(4.1), ["Mg", "Mg"], [[0, 0, 0], [0, 0, 0]])
    with pytest.raises(UserError, match=r"twins: its symmetry cannot be determined within 0\.01 A"):
        entry_from_structure(crystal, name="twins", source="recalled")
