"""Phase gate, corrections and stability records."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk as ase_bulk
from ase.build import make_supercell
from ase.spacegroup import crystal
from phase_toys import phase, run
from pymatgen.entries.compatibility import MaterialsProject2020Compatibility
from pymatgen.entries.computed_entries import ComputedStructureEntry
from pymatgen.io.ase import AseAtomsAdaptor

from screening.chemistry.candidate import Candidate, Defects, Substitution
from screening.config import StabilitySettings
from screening.engine.running.records import PotentialId
from screening.engine.tasks import RelaxTask, Result
from screening.errors import CandidateFailed
from screening.properties.bulk import DopedBulk
from screening.properties.context import ScreeningContext
from screening.properties.stability.corrections import correction, mp_parameters
from screening.properties.stability.phases import PASSED, PhaseEnergy, gate, phase_energy
from screening.properties.stability.stability import loosest_li, stability_flow
from screening.structures.crystals.phases import load_phases, phase_structures

POTENTIAL_ID = PotentialId("toy", "0" * 64)
SETTINGS = StabilitySettings()


def result_of(atoms: Atoms, energy: float, **changes) -> Result:
    fields = {"fmax": 0.01, "converged": True, "n_steps": 3, "n_force_calls": 3, "wall_s": 0.1, **changes}
    return Result(key="k", atoms=atoms, energy=energy, **fields)


def facts_of(name: str):
    return next(facts for facts in load_phases() if facts.name == name)


# --- corrections -----------------------------------------------------------------------------------------------------


def crystals() -> dict[str, Atoms]:
    nio = ase_bulk("NiO", "rocksalt", a=4.17)
    wo3 = crystal(["W", "O"], [(0, 0, 0), (0.5, 0, 0)], spacegroup=221, cellpar=[3.8, 3.8, 3.8, 90, 90, 90])
    li2o2 = phase_structures(facts_of("Li2O2"))[0]
    return {"NiO": nio, "WO3": wo3, "Li2O2": li2o2}


@pytest.mark.parametrize(
    ("name", "run_type", "u"), [("NiO", "GGA+U", {"Ni": 6.2}), ("WO3", "GGA+U", {"W": 6.2}), ("Li2O2", "GGA", {})]
)
def test_mp2020_where_the_potential_needs_it_and_nothing_where_it_is_in_the_model(name, run_type, u):
    atoms = crystals()[name]
    parameters = mp_parameters(atoms)
    assert (parameters["run_type"], parameters["hubbards"]) == (run_type, u)
    # pymatgen's own answer for an entry as the Materials Project stores it
    symbols = {"Ni": "PBE Ni_pv", "W": "PBE W_pv", "Li": "PBE Li_sv", "O": "PBE O"}
    entry = ComputedStructureEntry(
        AseAtomsAdaptor.get_structure(atoms),
        0.0,
        parameters={
            "run_type": run_type,
            "hubbards": u,
            "potcar_symbols": [symbols[s] for s in sorted(set(atoms.get_chemical_symbols()))],
        },
    )
    expected = MaterialsProject2020Compatibility(check_potcar=False).process_entry(entry).correction
    assert correction(atoms, "MP2020-needed") == pytest.approx(expected, abs=1e-9)
    assert expected < 0
    assert correction(atoms, "MP2020-in-model") == 0.0
    assert correction(atoms, "own-hull") == 0.0


def test_mp2020_terms_have_their_published_sizes():
    """eV per atom of the scheme (doi:10.1038/s41598-021-94550-5): oxide -0.687, peroxide -0.465, Ni(+U) -2.541."""
    cells = crystals()
    assert correction(cells["Li2O2"], "MP2020-needed") == pytest.approx(4 * -0.465, abs=1e-3)
    assert correction(cells["NiO"], "MP2020-needed") == pytest.approx(-0.687 - 2.541, abs=1e-3)


# --- gate ------------------------------------------------------------------------------------------------------------


def test_gate_passes_the_stated_crystal_and_names_what_is_wrong_otherwise():
    facts = facts_of("LiNbO3")
    (atoms,) = phase_structures(facts)
    assert gate(facts, result_of(atoms, -80.0)) == PASSED
    swollen = atoms.copy()
    swollen.set_cell(atoms.cell * 1.04, scale_atoms=True)
    assert "volume differs by +12.5 %" in gate(facts, result_of(swollen, -80.0))
    moved = atoms.copy()
    moved.positions[0] += [0.4, 0.1, 0.0]
    assert "space group 161 became" in gate(facts, result_of(moved, -80.0))
    crushed = atoms.copy()
    crushed.positions[-1] = crushed.positions[0] + [0.9, 0, 0]
    assert "shortest distance" in gate(facts, result_of(crushed, -80.0))
    lost = atoms.copy()
    del lost[0]
    assert "composition became" in gate(facts, result_of(lost, -80.0))
    assert "not converged" in gate(facts, result_of(atoms, -80.0, converged=False))
    assert gate(facts, result_of(atoms, np.nan, failure="cell exploded")) == "failed: cell exploded"


def test_a_quarantined_ordering_does_not_win_by_its_energy():
    facts = facts_of("LiNbO3")
    (atoms,) = phase_structures(facts)
    swollen = atoms.copy()
    swollen.set_cell(atoms.cell * 1.04, scale_atoms=True)
    chosen = phase_energy(facts, [result_of(swollen, -90.0), result_of(atoms, -80.0)], "MP2020-in-model")
    assert chosen.usable
    assert chosen.ordering == 1
    assert chosen.energy_per_atom == pytest.approx(-8.0)


# --- flows with a toy potential --------------------------------------------------------------------------------------


def test_element_without_phases_fails_its_own_candidate_only():
    candidate, atoms = doped_cell()
    atoms.numbers[atoms.numbers == 12] = 94
    with pytest.raises(CandidateFailed, match="Pu"):
        toy_records(candidate, atoms, -100.0, -95.0)


def doped_cell() -> tuple[Candidate, Atoms]:
    """Six formula units with one Mg on Li and one Li vacancy."""
    (primitive,) = phase_structures(facts_of("LiNbO3"))
    atoms = make_supercell(primitive, np.diag([3, 1, 1]))
    charge = {"Li": 1, "Nb": 5, "O": -2, "Mg": 2}
    li = np.flatnonzero(atoms.numbers == 3)
    atoms.numbers[li[0]] = 12
    del atoms[int(li[1])]
    atoms.set_array("oxidation_state", np.array([charge[s] for s in atoms.get_chemical_symbols()]))
    defects = Defects(substitutions=(Substitution(element="Mg", charge=2, site="Li", count=1),), li_vacancies=1)
    return Candidate(host="LiNbO3", n_fu=6, defects=defects, compensation="li_vacancy", x_requested=1 / 6), atoms


def toy_phases() -> list[PhaseEnergy]:
    return [
        phase("Li", {"Li": 1}, -2.0),
        phase("Nb", {"Nb": 1}, -10.0),
        phase("O2", {"O": 2}, -5.0),
        phase("Mg", {"Mg": 1}, -1.6),
        phase("LiNbO3", {"Li": 1, "Nb": 1, "O": 3}, (-2 - 10 - 3 * 9) / 5),
        phase("Nb2O5", {"Nb": 2, "O": 5}, (-20 - 5 * 8.5) / 7),
        phase("MgNb2O6", {"Mg": 1, "Nb": 2, "O": 6}, (-1.6 - 20 - 6 * 9) / 9),
    ]


def toy_records(candidate: Candidate, atoms: Atoms, energy: float, delithiated: float, **changes) -> dict:
    bulk = DopedBulk(candidate=candidate, result=result_of(atoms, energy))
    context = ScreeningContext(potential_id=POTENTIAL_ID, corrections="own-hull", seed=0)
    flow = stability_flow(candidate, bulk, changes.pop("phases", toy_phases()), SETTINGS, context, **changes)

    def answer(task: RelaxTask) -> Result:
        assert task.cell == "fixed"
        assert len(task.atoms) == len(atoms) - 1
        return result_of(task.atoms, delithiated)

    return {record.property: record for record in run(flow, answer)}


def test_records_of_a_doped_cell_follow_from_its_energy():
    """4 LiNbO3 + MgNb2O6 is the decomposition of Li4MgNb6O18; 0.29 eV in 29 atoms is 10 meV/atom."""
    candidate, atoms = doped_cell()
    ground = 4 * 5 * toy_phases()[4].energy_per_atom + 9 * toy_phases()[6].energy_per_atom
    energy = ground + 0.29
    records = toy_records(candidate, atoms, energy, energy + 2.0 + 4.1)
    hull_record = records["e_above_hull"]
    assert hull_record.value == pytest.approx(0.01, abs=1e-6)
    assert hull_record.details["decomposition"] == pytest.approx({"LiNbO3": 4 / 6, "MgNb2O6": 1 / 6}, abs=1e-5)
    assert records["delithiation_voltage"].value == pytest.approx(4.1, abs=1e-9)
    # 2 LiNbO3 -> Nb2O5 + 2 Li + 1/2 O2 at 4.3 V, four times over two, plus the 0.29 eV it lies above the hull
    gain = 0.5 * (-20 - 42.5) + -2 + 0.5 * -5 - 5 * toy_phases()[4].energy_per_atom - 4.3
    expected = (0.29 + max(0.0, -4 * gain)) / 29
    assert records["oxidation_driving_force"].value == pytest.approx(expected, abs=1e-6)
    assert records["window_oxidation"].value is None
    assert records["window_pinned_oxidation"].value is not None
    assert records["oxidation_driving_force"].fidelity == "mlip:toy"


def test_a_cell_without_one_li_still_knows_its_dopants():
    """The Li that leaves comes before the dopant; its list must follow, or it names another Li or no atom at all."""
    candidate, atoms = doped_cell()
    (mg,) = np.flatnonzero(atoms.numbers == 12)
    atoms = atoms[[i for i in range(len(atoms)) if i != mg] + [int(mg)]]
    atoms.info["dopant_indices"] = [len(atoms) - 1]
    bulk = DopedBulk(candidate=candidate, result=result_of(atoms, -250.0))
    context = ScreeningContext(potential_id=POTENTIAL_ID, corrections="own-hull", seed=0)
    flow = stability_flow(candidate, bulk, toy_phases(), SETTINGS, context)
    tasks = next(flow)
    assert tasks
    for task in tasks:
        assert len(task.atoms) == len(atoms) - 1
        assert task.atoms.info["dopant_indices"] == [len(atoms) - 2]
        assert task.atoms.symbols[len(atoms) - 2] == "Mg"
    assert bulk.result.atoms.info["dopant_indices"] == [len(atoms) - 1]


def test_candidate_below_every_listed_mixture_is_flagged_and_signed():
    candidate, atoms = doped_cell()
    ground = 4 * 5 * toy_phases()[4].energy_per_atom + 9 * toy_phases()[6].energy_per_atom
    records = toy_records(candidate, atoms, ground - 0.29, ground)
    assert records["e_above_hull"].value == pytest.approx(-0.01, abs=1e-6)
    assert "below_hull" in records["e_above_hull"].flags
    assert records["window_reduction"].value < records["window_oxidation"].value


def test_pristine_host_competes_with_the_other_phases_only():
    (atoms,) = phase_structures(facts_of("LiNbO3"))
    charge = {"Li": 1, "Nb": 5, "O": -2}
    atoms.set_array("oxidation_state", np.array([charge[s] for s in atoms.get_chemical_symbols()]))
    energy = 10 * toy_phases()[4].energy_per_atom
    records = toy_records(Candidate(host="LiNbO3", n_fu=2), atoms, energy + 1e-3, energy + 5.0)
    assert records["e_above_hull"].value == 0.0
    assert records["e_above_hull"].details["phase_separation_energy"] < -0.05
    own, pinned = records["window_oxidation"], records["window_pinned_oxidation"]
    assert own.value == pytest.approx(pinned.value, abs=2e-3)  # 1 meV in the cell moves the own-energy end


def test_delithiation_below_the_equilibrium_limit_is_flagged():
    """2 LiNbO3 -> Nb2O5 + 2 Li + 1/2 O2 has its limit; a voltage below it means the delithiated cell beats the hull."""
    (atoms,) = phase_structures(facts_of("LiNbO3"))
    charge = {"Li": 1, "Nb": 5, "O": -2}
    atoms.set_array("oxidation_state", np.array([charge[s] for s in atoms.get_chemical_symbols()]))
    energy = 10 * toy_phases()[4].energy_per_atom
    host = Candidate(host="LiNbO3", n_fu=2)
    limit = toy_records(host, atoms, energy, energy + 9.0)["window_oxidation"].value
    for voltage, flagged in ((limit - 0.1, True), (limit + 0.1, False)):
        record = toy_records(host, atoms, energy, energy + 2.0 + voltage)["delithiation_voltage"]
        assert record.value == pytest.approx(voltage, abs=1e-9)
        assert ("delithiated_below_hull" in record.flags) is flagged


def test_loosest_li_takes_one_of_each_distinct_site():
    _, atoms = doped_cell()
    assert len(loosest_li(atoms, 2)) == 2
    (pristine,) = phase_structures(facts_of("LiNbO3"))
    charge = {"Li": 1, "Nb": 5, "O": -2}
    pristine.set_array("oxidation_state", np.array([charge[s] for s in pristine.get_chemical_symbols()]))
    assert len(loosest_li(pristine, 3)) == 1


def test_values_that_rest_on_predicted_phases_say_so():
    candidate, atoms = doped_cell()
    phases = [replace(p, substituted=p.name == "MgNb2O6") for p in toy_phases()]
    records = toy_records(candidate, atoms, -200.0, -195.0, phases=phases)
    flagged = {name for name, record in records.items() if "predicted_phases" in record.flags}
    assert flagged == set(records) - {"delithiation_voltage"}
    phases = [*toy_phases(), replace(phase("TaO2", {"Ta": 1, "O": 2}, -9.0), substituted=True)]
    records = toy_records(candidate, atoms, -200.0, -195.0, phases=phases)
    assert not any("predicted_phases" in record.flags for record in records.values())  # no Ta in the candidate


def test_reaction_records_follow_by_hand():
    """MgO next to Nb2O5 makes MgNb2O6: a partner of pure Nb2O5 pulls Mg out of a candidate that holds MgO."""
    candidate, atoms = doped_cell()
    energy = 4 * 5 * toy_phases()[4].energy_per_atom + 9 * toy_phases()[6].energy_per_atom
    sulfide = phase("Li2S", {"Li": 2, "S": 1}, (-4 - 4 - 4) / 3)
    partners = {"cathode_lithiated": {"Li": 1, "Nb": 1, "O": 3}, "electrolyte": {"Li": 2, "S": 1}}
    phases = [*toy_phases(), sulfide, phase("S", {"S": 1}, -4.0)]
    records = toy_records(candidate, atoms, energy + 0.29, energy, partners=partners, phases=phases)
    host = records["reaction_energy_cathode"]
    # its own decomposition (10 meV/atom) is all there is to win from a partner that is one of its products
    assert host.value == pytest.approx(-0.01, abs=1e-6)
    assert host.details["mutual_energy"] == pytest.approx(0.0, abs=1e-6)
    assert host.details["state"] == "reaction_energy_cathode_lithiated"
    assert records["reaction_energy_electrolyte"].flags == ("few_reaction_phases",)
    assert records["reaction_energy_electrolyte"].details["pairs_without_phases"] == ["Mg-S", "Nb-S"]
    opened = records["reaction_energy_electrolyte_open"]
    # at 4.3 V Li2S gives up its Li with or without the coating: that is in the total, not in the value
    assert opened.value == opened.details["mutual_energy"] <= 0
    assert opened.details["total_energy"] <= -(4.3 - 2.0) * 2 / 3 + 1e-6
