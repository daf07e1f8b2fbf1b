"""A file that is no YAML or JSON, in whatever way, is one sentence that names it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from screening.campaign.summary import read_summary_file
from screening.config import load_settings
from screening.engine.running.records import PotentialId
from screening.errors import UserError
from screening.potentials.model_card import card_content, read_card
from screening.properties.stability.foreign.entries_file import entries_from_file
from screening.properties.stability.phase_files import read_energies
from screening.tracking.session import read_state
from screening.training_data.library_files import read_list
from screening.validation.ingest.store_records import _store_of
from screening.validation.jobs import read_manifest
from screening.validation.programs import load_validation_settings

DAMAGED = {
    "no UTF-8": b"a: caf\xe9\n",
    "cut": b"a: [1, 2\n",
    "a date that is none": b"created: 2026-13-45\n",
    "nested without end": b"[" * 100_000,
    "tabs": b"a:\n\t- b\n",
    "binary": bytes(range(256)),
    "another type": b"a: !!python/object:os.system {}\n",
}
READERS = {
    "summary.yaml": read_summary_file,
    "c.yaml": lambda path: load_settings(None, path, {}),
    "card.yaml": lambda path: read_card(path.parent),
    "softening/card.yaml": lambda path: card_content(path.parent),
    "energies.json": lambda path: read_energies(path, PotentialId("chgnet", "0"), origin="computed"),
    "phases.json": entries_from_file,
    "validation.yaml": lambda path: read_manifest(path.parent),
    "calculations.yaml": read_list,
    "settings.yaml": lambda path: load_validation_settings(str(path)),
    "run/summary.yaml": lambda path: _store_of(path.parent),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        READERS[name](path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_state_of_tracking_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tracking.json").write_bytes(content)
    assert read_state(tmp_path) == {}
    (tmp_path / "tracking.json").write_text(json.dumps({"a": 1}))
    assert read_state(tmp_path) == {"a": 1}
