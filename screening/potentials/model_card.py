"""What stands beside a retrained potential: models/<name>/card.yaml, which makes the folder usable as --potential.

The card of a fine-tuned potential names a checkpoint in the package's own format, whose checksum must be the stated
one. That of a softening correction names only its base: the potential is the base, the correction belongs to ranking.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from screening.errors import UserError

CARD = "card.yaml"
FINETUNED, SOFTENING = "finetuned", "softening"
FAMILIES = ("chgnet", "sevennet")


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What loading needs to know; `content` is the whole card.

    Attributes
    ----------
    base
        Built-in potential whose network this is.
    family
        ``"chgnet"`` or ``"sevennet"``: whose code reads the checkpoint. Empty for a softening correction.
    corrections
        As `Potential.corrections`.
    fitted_elements
        Elements whose zero point of energy is known on this potential's scale, those of its data; None for all, when
        it kept the zero points of its base.
    """

    folder: Path
    kind: str
    base: str
    content: dict[str, Any]
    family: str = ""
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
    folder = Path(name).expanduser()
    path = folder / CARD
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        kind, base = str(content["kind"]), str(content["base"])
        if kind == SOFTENING:
            return ModelCard(folder=folder, kind=kind, base=base, content=content)
        if kind != FINETUNED:
            raise UserError(f"{path}: the kind is {kind!r}; use {FINETUNED} or {SOFTENING}.")
        fitted = content.get("fitted_elements")
        card = ModelCard(
            folder=folder,
            kind=kind,
            base=base,
            content=content,
            family=str(content["family"]),
            checkpoint=folder / str(content["checkpoint"]),
            checkpoint_sha256=str(content["checkpoint_sha256"]),
            corrections=str(content["corrections"]),
            fitted_elements=None if fitted is None else frozenset(map(str, fitted)),
        )
        promoted, reasons = bool(content["promoted"]), list(content.get("reasons") or [])
    except FileNotFoundError as error:
        raise UserError(
            f"{folder} is no potential: it holds no {CARD}; give a built-in name or a folder of `screen retrain`."
        ) from error
    except (OSError, yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} is not the card of a retrained potential; write it again with `screen retrain`."
        ) from error
    if card.family not in FAMILIES:
        raise UserError(f"{path}: the family is {card.family!r}; use {' or '.join(FAMILIES)}.")
    if not promoted:
        raise UserError(
            f"{folder} was rejected when it was trained ({'; '.join(map(str, reasons)) or 'no reason stated'}); use "
            f"its base {base}, or set promoted: true in its {CARD} to use it all the same."
        )
    return card


def checked_checkpoint(card: ModelCard) -> Path:
    """The card's checkpoint, with the checksum that the card states.

    Raises
    ------
    UserError
        When the file is missing or another one.
    """
    from screening.potentials.batching import sha256_of

    assert card.checkpoint is not None
    if not card.checkpoint.is_file():
        raise UserError(f"{card.checkpoint} is missing; copy it there or run `screen retrain` again.")
    if sha256_of(card.checkpoint) != card.checkpoint_sha256:
        raise UserError(
            f"{card.checkpoint} is not the file that {card.folder / CARD} describes (other SHA-256); run `screen "
            "retrain` again."
        )
    return card.checkpoint
