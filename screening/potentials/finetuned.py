"""Models of `screen retrain`: a built-in network with weights of its own, from the folder that a card describes.

The network comes from the installed package, by its name in the card; the folder adds numbers only. Folders of earlier
versions hold the package's own checkpoint instead, which the restricted unpickler reads.
"""

from __future__ import annotations

import logging
from typing import Any

from screening.errors import UserError
from screening.potentials.base import Potential
from screening.potentials.batching import pick_device
from screening.potentials.families.family import Family, NetworkCode
from screening.potentials.families.table import family_named, family_of
from screening.potentials.model_card import SUFFIX, ModelCard, checked_checkpoint
from screening.potentials.weights import check_pickle, put_weights, read_weights

logger = logging.getLogger(__name__)


def load_card(card: ModelCard, device: str = "auto") -> Potential:
    """Load a fine-tuned potential.

    Raises
    ------
    UserError
        When the checkpoint is missing, not the one of the card, or cannot be read as the weights of its network.
    """
    device = pick_device(device)
    return _code(family_named(card.family)).from_model(
        read_card_model(card, device),
        name=card.potential_name,
        checkpoint_sha256=card.checkpoint_sha256,
        device=device,
        corrections=card.corrections,
    )


def read_network(source: str | ModelCard, device: str = "cpu") -> Any:
    """The package's own model of a built-in potential that can be fine-tuned, or of a card, on the device.

    Raises
    ------
    UserError
        See `load_card`.
    """
    if isinstance(source, ModelCard):
        return read_card_model(source, device)
    family = family_of(source)
    assert family is not None, source
    code = _code(family)
    return code.read_model(code.checkpoint_of(source), device)


def read_card_model(card: ModelCard, device: str = "cpu") -> Any:
    """The package's own model with the weights of a card, on the device.

    Raises
    ------
    UserError
        See `load_card`.
    """
    code, checkpoint = _code(family_named(card.family)), checked_checkpoint(card)
    if checkpoint.suffix == SUFFIX:
        weights, model = read_weights(checkpoint), read_network(card.network)
        put_weights(model, weights, checkpoint)
        return model.to(device)
    check_pickle(checkpoint)
    try:
        return code.read_model(checkpoint, device)
    except Exception as error:  # whatever weights of something else make the package raise
        logger.debug("%s cannot be used", checkpoint, exc_info=True)
        raise UserError(
            f"{checkpoint} holds no model of the {card.family} family that the installed package can read; run `screen "
            "retrain` again."
        ) from error


def _code(family: Family) -> NetworkCode:
    assert family.fine_tuning is not None, family.name
    return family.fine_tuning.code()
