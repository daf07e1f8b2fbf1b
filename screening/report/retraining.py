"""How a retraining goes and ends, for the terminal."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from rich.console import Console

    from screening.retraining.finetune import Epoch
    from screening.retraining.retrain import Retrained


def print_epoch(console: Console, epoch: Epoch) -> None:
    """Errors on the validation frames after an epoch."""
    console.print(
        f"epoch {epoch.epoch}: validation force error {epoch.errors.force:.4f} eV/A, "
        f"energy {epoch.errors.energy or 0:.1f} meV/atom",
        highlight=False,
    )


def print_retrained(console: Console, outcome: Retrained) -> None:
    """Errors before and after, and where the model is or why it was not promoted."""
    if "held_out_errors" in outcome.card:
        errors = outcome.card["held_out_errors"]
        table = Table("held out", "before", "after")
        for key in errors["before"]:
            table.add_row(key, *(_shown(errors[side][key]) for side in ("before", "after")))
        console.print(table)
    if not outcome.promoted:
        console.print(f"not promoted, kept in {outcome.folder}:", highlight=False)
        for reason in outcome.reasons:
            console.print(f"  {reason}", highlight=False)
        return
    console.print(
        f"{outcome.folder}: use it with --potential {shlex.quote(str(outcome.folder))}",
        highlight=False,
        soft_wrap=True,
    )
    if outcome.kind == "finetuned":
        console.print(
            "Its checkpoint is new, so its first hull relaxes every competing phase again: 191 for Mg in LiNbO3 beside "
            "NCM811 and LPSCB, with CHGNet some 0.6 s of one core each. They are kept for later runs.",
            highlight=False,
        )


def _shown(value: float | int | None) -> str:
    return "" if value is None else f"{value:g}"
