"""Model folders as a stranger might send them: pickles that leave a mark when anything runs them."""

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from screening.errors import UserError
from screening.files import sha256_of
from screening.potentials.families.table import NETWORKS
from screening.potentials.registry import check_name, load_potential

BASES = {"chgnet": "chgnet", "sevennet": "sevennet-0"}


class Bomb:
    """Creates the file `mark` when it is unpickled by something that calls what it is told to."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.mark}'",)


def zipped(path: Path, mark: Path) -> None:
    """PyTorch's format, nothing but the bomb."""
    torch.save({"model": Bomb(mark)}, path)


def hidden(path: Path, mark: Path) -> None:
    """A CHGNet checkpoint that would work, with a bomb where nobody looks."""
    from screening.potentials.networks import chgnet

    content = torch.load(chgnet.checkpoint_of("chgnet"), map_location="cpu", weights_only=True)
    torch.save({"model": content["model"], "optimizer": Bomb(mark)}, path)


def hidden_in_sevennet(path: Path, mark: Path) -> None:
    """The same with the keys of SevenNet."""
    torch.save({"model_state_dict": {}, "config": {"version": "0.13.0", "cutoff": Bomb(mark)}}, path)


def old_format(path: Path, mark: Path) -> None:
    """PyTorch's format before 1.6."""
    torch.save({"model": Bomb(mark)}, path, _use_new_zipfile_serialization=False)


def bare(path: Path, mark: Path) -> None:
    """Python's own pickle."""
    path.write_bytes(pickle.dumps(Bomb(mark)))


PLANTS = [zipped, hidden, hidden_in_sevennet, old_format, bare]


def write_card(folder: Path, family: str, checkpoint: str, /, **changes: Any) -> None:
    """A card that agrees with what lies there: whoever sends a checkpoint also writes its checksum."""
    content = {
        "kind": "finetuned",
        "promoted": True,
        "reasons": [],
        "base": NETWORKS[family][0],
        "family": family,
        "network": NETWORKS[family][0],
        "checkpoint": checkpoint,
        "checkpoint_sha256": sha256_of(folder / checkpoint),
        "corrections": "own-hull",
        "fitted_elements": None,
    }
    (folder / "card.yaml").write_text(yaml.safe_dump(content | changes))


def refused(name: str, mark: Path, match: str) -> None:
    """Both by the check before a run and by the load itself, in one sentence, with nothing run."""
    for step in (check_name, lambda potential: load_potential(potential, "cpu", self_check=False)):
        with pytest.raises(UserError, match=match) as error:
            step(name)
        assert "\n" not in str(error.value)
        assert not mark.exists()
