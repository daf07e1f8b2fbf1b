import numpy as np
import pytest
from ase import Atoms

from screening.structures.interfaces.contact import contact_metrics, coordination, li_transferred, reacted
from screening.structures.interfaces.interface import Parent, shift


def _toy(offset: float = 0.0) -> Atoms:
    """Ni with three O below; Nb with four O above; the O nearest the contact may be shared."""
    atoms = Atoms(
        ["Ni", "O", "O", "O", "Nb", "O", "O", "O", "O", "Li"],
        positions=[
            [0, 0, 0], [1.9, 0, -0.2], [-1.9, 0, -0.2], [0, 1.9, -0.2],
            [0, 0, 5.0], [0, 0, 3.1 + offset], [1.9, 0, 5.3], [-1.9, 0, 5.3], [0, 1.9, 5.3],
            [4.0, 4.0, 0.5],
        ],
        cell=[9, 9, 30], pbc=True,
    )  # fmt: skip
    atoms.set_array("region", np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 0]))
    atoms.set_array("plane", np.zeros(10, dtype=int))
    atoms.set_array("oxidation_state", np.array([3, -2, -2, -2, 5, -2, -2, -2, -2, 1]))
    return atoms


def test_coordination_tells_own_from_other() -> None:
    atoms = _toy()
    c = coordination(atoms)
    assert (c.own[0], c.across[0]) == (3, 0)
    assert (c.own[4], c.across[4]) == (4, 0)
    bonded = atoms.copy()
    bonded.positions[:4, 2] += 1.1  # Ni rises to 2.0 A below the Nb's lowest O
    c = coordination(bonded)
    assert (c.own[0], c.across[0]) == (3, 1)
    assert (c.own[5], c.across[5]) == (1, 1)


def test_bonds_that_are_only_added_are_adhesion() -> None:
    bonded = _toy()
    bonded.positions[:4, 2] += 1.1
    assert reacted(_toy(), bonded) == []


def test_an_oxygen_that_changes_sides_is_a_reaction() -> None:
    pulled = _toy(offset=-1.2)  # 3.1 A from Nb, 1.9 A from Ni
    assert reacted(_toy(), pulled) == ["1 O left their slab's cations for the other slab"]


def test_a_stricter_judgement_also_finds_what_is_about_to_react() -> None:
    stretched = _toy(offset=-0.7)  # 2.6 A from Nb: bonded within 1.2 sums of covalent radii (2.8 A), not within 1.1
    stretched.positions[:4, 2] += 0.4  # 2.0 A from Ni
    assert reacted(_toy(), stretched) == []
    assert reacted(_toy(), stretched, own_factor=1.1) == ["1 O left their slab's cations for the other slab"]


def test_a_cation_that_swaps_its_shell_is_a_reaction() -> None:
    moved = _toy()
    moved.positions[4] = [0, 0.9, 1.3]
    moved.positions[0] = [0, 0, -3.0]
    assert any("Nb" in reason for reason in reacted(_toy(), moved))


def test_a_dopant_on_a_li_site_may_turn_to_the_other_slab_but_not_cross() -> None:
    before, turned = _toy(), _toy()
    before.numbers[4] = turned.numbers[4] = 12
    turned.positions[6:8, 2] += 1.5  # the dopant keeps two of four own O ...
    turned.positions[:4, 2] += 2.9
    turned.positions[1] = [0.6, 0.6, 3.3]  # ... and gains one of the other slab
    on_li_sites = np.arange(10) == 4
    assert reacted(before, turned) == ["1 Mg exchanged own-slab anions for anions of the other slab"]
    assert reacted(before, turned, on_li_sites=on_li_sites) == []
    crossed = before.copy()
    crossed.positions[4] = [0, 0.9, 0.6]
    crossed.positions[0] = [0, 0, -3.0]
    assert "1 Mg crossed to the other slab" in reacted(before, crossed, on_li_sites=on_li_sites)


def test_li_that_crosses_is_counted_once() -> None:
    before, after = _toy(), _toy()
    after.positions[9, 2] = 2.6
    assert li_transferred(before, after) == 1
    assert li_transferred(before, before) == 0
    after.positions[9, 2] = 1.5  # the middle between the facing anions lies at 1.45 A: within the margin
    assert li_transferred(before, after) == 0


def test_an_undisturbed_and_a_rattled_interface_have_not_reacted(thin_parent: Parent) -> None:
    atoms = shift(thin_parent.atoms, 0.2, 0.5, 2.0)
    assert reacted(atoms, atoms) == []
    rattled = atoms.copy()
    rattled.rattle(0.08, seed=5)
    assert reacted(atoms, rattled) == []
    assert li_transferred(atoms, rattled) == 0


def test_metrics_follow_the_gap(thin_parent: Parent) -> None:
    near = contact_metrics(shift(thin_parent.atoms, 0.0, 0.0, 1.6))
    far = contact_metrics(shift(thin_parent.atoms, 0.0, 0.0, 4.6))
    assert far["contact_separation_A"] == pytest.approx(near["contact_separation_A"] + 3.0)
    assert near["n_interfacial_bonds"] > 0
    assert far["n_interfacial_bonds"] == 0
    assert far["interfacial_bond_A"] is None


def test_metrics_of_the_undistorted_slabs_are_those_of_the_crystals(thin_parent: Parent) -> None:
    """c/3 = 4.725 A between metal layers; the Li slab takes c/3 - 2 (1/3 - z) c with z = 0.2590; Nb-O 1.9-2.2 A."""
    metrics = contact_metrics(shift(thin_parent.atoms, 0.0, 0.0, 6.0))
    assert metrics["cathode_layer_spacing_A"] == pytest.approx(14.1747 / 3, abs=1e-3)
    assert metrics["lithium_slab_A"] == pytest.approx(14.1747 * (1 / 3 - 2 * (1 / 3 - 0.2590)), abs=1e-3)
    assert 1.9 < metrics["host_anion_mean_A"] < 2.1
    assert metrics["host_anion_elongated"] == 0.0
