"""What stands beside a retrained potential: models/<name>/card.yaml, which makes the folder usable as --potential.

The card of a fine-tuned potential names a built-in network and a file in its folder that holds the weights, whose
checksum must be the stated one. That of a softening correction names only its base: the potential is the base, the
correction belongs to ranking. A folder may come from anybody: nothing in it is run, and no file outside it is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import yaml

from screening.assets import model_folder
from screening.errors import UserError, first_line
from screening.files import PARSE_ERRORS, read_received, sha256_of
from screening.inside import lies_in
from screening.potentials.base import Corrections
from screening.potentials.families.table import NETWORKS

CARD = "card.yaml"
SUFFIX = ".safetensors"
CORRECTIONS: tuple[Corrections, ...] = get_args(Corrections)
FINETUNED, SOFTENING = "finetuned", "softening"


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What loading needs to know of a card.

    Attributes
    ----------
    base
        Potential that it was made from: a built-in one, or another model's folder.
    family
        One of `NETWORKS`, whose code reads the checkpoint. Empty for a softening correction.
    network
        Built-in potential whose network this is; empty for a softening correction and in cards of earlier versions,
        whose checkpoints state their network themselves.
    corrections
        As `Potential.corrections`.
    fitted_elements
        Elements whose zero point of energy is known on this potential's scale, those of its data; None for all, when
        it kept the zero points of its base.
    """

    folder: Path
    kind: str
    base: str
    family: str = ""
    network: str = ""
    checkpoint: Path | None = None
    checkpoint_sha256: str = ""
    corrections: str = "own-hull"
    fitted_elements: frozenset[str] | None = None

    @property
    def potential_name(self) -> str:
        """``models/<folder>`` wherever the folder is, so that records do not name a machine's paths."""
        return f"models/{self.folder.resolve().name}"


def is_model_path(name: str) -> bool:
    """Whether a potential's name stands for a folder and not for a built-in potential or a family."""
    return ":" not in name and ("/" in name or "\\" in name or (Path(name).expanduser() / CARD).is_file())


def read_card(name: str | Path) -> ModelCard:
    """Card of a model folder.

    Raises
    ------
    UserError
        When the folder holds no card, the card is not one of `screen retrain`, or it was rejected.
    """
    folder = model_folder(Path(name).expanduser())
    path = folder / CARD
    try:
        content = yaml.safe_load(read_received(path))
        kind, base = _text(content, "kind"), _text(content, "base")
        if kind == SOFTENING:
            return ModelCard(folder=folder, kind=kind, base=base)
        if kind != FINETUNED:
            raise UserError(f"{path}: the kind is {kind!r}; use {FINETUNED} or {SOFTENING}.")
        stated = _text(content, "checkpoint")
        fitted = _texts(content, "fitted_elements")
        card = ModelCard(
            folder=folder,
            kind=kind,
            base=base,
            family=_text(content, "family"),
            network=_text(content, "network") if content.get("network") else "",
            checkpoint=folder / stated,
            checkpoint_sha256=_text(content, "checkpoint_sha256"),
            corrections=_text(content, "corrections"),
            fitted_elements=None if fitted is None else frozenset(fitted),
        )
        promoted, reasons = bool(content["promoted"]), _texts(content, "reasons") or []
    except FileNotFoundError as error:
        raise UserError(
            f"{folder} is no potential: it holds no {CARD}; give a built-in name or a folder of `screen retrain`."
        ) from error
    except (OSError, *PARSE_ERRORS, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} is not the card of a retrained potential; write it again with `screen retrain`."
        ) from error
    _check_values(path, card, stated)
    if not lies_in(folder, stated):
        raise UserError(
            f"{path} names a checkpoint outside its folder ({stated!r}), which is not read; put the file beside the "
            "card."
        )
    if not promoted:
        raise UserError(
            f"{folder} was rejected when it was trained ({'; '.join(reasons) or 'no reason stated'}); use "
            f"its base {base}, or set promoted: true in its {CARD} to use it all the same."
        )
    return card


def card_content(folder: Path) -> dict[str, Any] | None:
    """What a model folder's card says, unchecked; None where there is no card.

    Raises
    ------
    UserError
        When the card is not YAML.
    """
    path = folder / CARD
    if not path.is_file():
        return None
    try:
        data = yaml.safe_load(read_received(path))
    except (OSError, *PARSE_ERRORS) as error:
        raise UserError(f"{path} cannot be read ({first_line(error)}); restore the model folder.") from error
    return data if isinstance(data, dict) else {}


def _text(content: dict[str, Any], key: str) -> str:
    """A text of the card; anything else is refused, so that nested lists are never written out."""
    if not isinstance(content[key], str):
        raise TypeError(f"{key} is no text")
    return str(content[key])


def _texts(content: dict[str, Any], key: str) -> list[str] | None:
    found = content.get(key)
    if found is not None and not (isinstance(found, list) and all(isinstance(item, str) for item in found)):
        raise TypeError(f"{key} is no list of texts")
    return found


def _check_values(path: Path, card: ModelCard, stated: str) -> None:
    if card.corrections not in CORRECTIONS:
        raise UserError(f"{path}: the corrections are {card.corrections!r}; use {', '.join(CORRECTIONS)}.")
    if card.family not in NETWORKS:
        raise UserError(f"{path}: the family is {card.family!r}; use {' or '.join(NETWORKS)}.")
    allowed = NETWORKS[card.family]
    if card.network not in allowed and (card.network or stated.endswith(SUFFIX)):
        raise UserError(f"{path}: the network is {card.network!r}; use {' or '.join(allowed)}.")


def checked_checkpoint(card: ModelCard) -> Path:
    """The card's checkpoint, with the checksum that the card states.

    Raises
    ------
    UserError
        When the file is missing or another one.
    """
    assert card.checkpoint is not None
    if not card.checkpoint.is_file():
        raise UserError(f"{card.checkpoint} is missing; copy it there or run `screen retrain` again.")
    if sha256_of(card.checkpoint) != card.checkpoint_sha256:
        raise UserError(
            f"{card.checkpoint} is not the file that {card.folder / CARD} describes (other SHA-256); copy it again or "
            "run `screen retrain` again."
        )
    return card.checkpoint


def check_checkpoint(card: ModelCard) -> None:
    """Refuse a checkpoint that cannot be read, without building its network.

    Raises
    ------
    UserError
        See `checked_checkpoint`; or when it holds no weights, or more than weights.
    """
    from screening.potentials import weights

    checkpoint = checked_checkpoint(card)
    if checkpoint.suffix == SUFFIX:
        weights.check_weights_file(checkpoint)
    else:
        weights.check_pickle(checkpoint)
