"""Elements that the potentials know, against what their own files say."""

import json
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols

from screening.potentials.elements import MPTRJ
from screening.potentials.families.table import BUILT_IN
from screening.potentials.networks import chgnet
from screening.potentials.registry import load_potential, supported_elements


def test_chgnet_knows_the_elements_whose_embedding_was_trained():
    """Untrained rows kept the unit normal distribution that they were initialised with."""
    for name in chgnet.CHECKPOINTS:
        state = torch.load(chgnet.checkpoint_of(name), map_location="cpu", weights_only=True)["model"]["state_dict"]
        spread = state["atom_embedding.embedding.weight"].std(dim=1)
        trained = {chemical_symbols[z + 1] for z in np.flatnonzero(spread.numpy() > 1.2)}
        assert trained == MPTRJ == supported_elements(name)
    assert len(MPTRJ) == 89


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_loaded_potential_agrees(name):
    potential: Any = load_potential(name, "cpu", self_check=False)
    assert potential.elements == {atomic_numbers[symbol] for symbol in supported_elements(name)}


@pytest.mark.parametrize("symbol", ["Cf", "Cm", "Po", "Ra"])
def test_what_is_not_known_is_neither_announced_nor_computed(symbol):
    assert symbol not in supported_elements("chgnet")
    atoms = Atoms([symbol, "O"], positions=[[0, 0, 0], [0, 0, 2.2]], cell=[4, 4, 4], pbc=True)
    (found,) = load_potential("chgnet", "cpu", self_check=False).evaluate([atoms])
    assert np.isnan(found.energy)


def test_a_correction_has_the_elements_of_its_base(tmp_path):
    (tmp_path / "card.yaml").write_text(yaml.safe_dump({"kind": "softening", "base": "sevennet-0"}))
    assert supported_elements(str(tmp_path)) == MPTRJ


def test_the_elements_of_others(tmp_path):
    assert supported_elements("ase:ase.calculators.emt:EMT") is None
    assert supported_elements(f"matgl:{tmp_path}") is None, "no model.json"
    nested = {"kwargs": {"model": {"init_args": {"element_types": ["Li", "O"]}}}}
    (tmp_path / "model.json").write_text(json.dumps(nested))
    assert supported_elements(f"matgl:{tmp_path}") == {"Li", "O"}
    assert supported_elements(f"matgl:{tmp_path / 'absent'}") is None
    assert supported_elements("matgl:NoSuchModel") is None, "asks no hub"
