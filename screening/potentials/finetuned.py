"""Models of `screen retrain`: a built-in network with weights of its own, from the folder that a card describes.

The network comes from the installed package, by its name in the card; the folder adds numbers only. Folders of earlier
versions hold the package's own checkpoint instead, which the restricted unpickler reads.
"""

from __future__ import annotations

import logging
from types import ModuleType
from typing import Any

from screening.errors import UserError
from screening.potentials.batching import BatchedPotential, pick_device
from screening.potentials.model_card import NETWORKS, SUFFIX, ModelCard, checked_checkpoint
from screening.potentials.weights import check_pickle, put_weights, read_weights

logger = logging.getLogger(__name__)


def load_card(card: ModelCard, device: str = "auto") -> BatchedPotential:
    """Load a fine-tuned potential.

    Raises
    ------
    UserError
        When the checkpoint is missing, not the one of the card, or cannot be read as the weights of its network.
    """
    device = pick_device(device)
    potential: BatchedPotential = _package(card.family).from_model(
        read_card_model(card, device),
        name=card.potential_name,
        checkpoint_sha256=card.checkpoint_sha256,
        device=device,
        corrections=card.corrections,
    )
    return potential


def family_of(name: str) -> str | None:
    """Family of a built-in potential that can be fine-tuned, None for any other name."""
    return next((family for family, names in NETWORKS.items() if name in names), None)


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
    package = _package(family)
    return package.read_model(package.checkpoint_of(source), device)


def read_card_model(card: ModelCard, device: str = "cpu") -> Any:
    """The package's own model with the weights of a card, on the device.

    Raises
    ------
    UserError
        See `load_card`.
    """
    package, checkpoint = _package(card.family), checked_checkpoint(card)
    if checkpoint.suffix == SUFFIX:
        weights, model = read_weights(checkpoint), read_network(card.network)
        put_weights(model, weights, checkpoint)
        return model.to(device)
    check_pickle(checkpoint)
    try:
        return package.read_model(checkpoint, device)
    except Exception as error:  # whatever weights of something else make the package raise
        logger.debug("%s cannot be used", checkpoint, exc_info=True)
        raise UserError(
            f"{checkpoint} holds no model of the {card.family} family that the installed package can read; run `screen "
            "retrain` again."
        ) from error


def _package(family: str) -> ModuleType:
    from screening.potentials.networks import chgnet, sevennet

    return {"chgnet": chgnet, "sevennet": sevennet}[family]
