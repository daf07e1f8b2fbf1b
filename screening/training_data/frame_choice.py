"""Which of the ionic steps that were read are kept: those with finite numbers and converged electrons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from screening.training_data.calculation import Frame, NotFinite

SHOWN = 5  # steps that are named in one line


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Steps that are kept.

    Attributes
    ----------
    positions
        Of the kept steps in what was read, from 0.
    electronic_converged
        Whether the electrons of the last finite step converged.
    unconverged_steps
        How many finite steps have electrons that did not converge.
    warnings
        A note on the steps that are not finite, where there are any.
    """

    frames: tuple[Frame, ...]
    positions: tuple[int, ...]
    electronic_converged: bool
    unconverged_steps: int
    warnings: tuple[str, ...]


def keep_steps(frames: Sequence[Frame], electronic: Sequence[bool], *, relaxation: bool) -> Kept:
    """Leave out steps with ``****`` or NaN, and those with unconverged electrons unless the last one is such.

    Parameters
    ----------
    electronic
        Whether the electrons of each step converged.
    relaxation
        Whether the last step is the result, so that it must be finite.

    Raises
    ------
    NotFinite
        When the last step of a relaxation, or every step, holds such numbers.
    """
    broken = {number: frame.not_finite for number, frame in enumerate(frames) if frame.not_finite}
    if len(broken) == len(frames):
        what = "its only step" if len(frames) == 1 else f"each of its {len(frames)} steps"
        raise NotFinite(f"{what} holds **** or NaN in {_parts(broken)}")
    if relaxation and len(frames) - 1 in broken:
        raise NotFinite(f"the last step of the relaxation holds **** or NaN in {_parts({0: frames[-1].not_finite})}")
    finite = [number for number in range(len(frames)) if number not in broken]
    positions = [number for number in finite if electronic[number]] or finite[-1:]
    stars = [left_out("step", [number + 1 for number in broken], f"**** or NaN in {_parts(broken)}")] if broken else []
    return Kept(
        frames=tuple(frames[number] for number in positions),
        positions=tuple(positions),
        electronic_converged=electronic[finite[-1]],
        unconverged_steps=sum(not electronic[number] for number in finite),
        warnings=tuple(stars),
    )


def left_out(noun: str, numbers: Sequence[int], reason: str) -> str:
    """Say that some steps or frames are left out: ``step 2 is left out (reason)``."""
    shown = ", ".join(map(str, numbers[:SHOWN])) + (", ..." if len(numbers) > SHOWN else "")
    if len(numbers) == 1:
        return f"{noun} {shown} is left out ({reason})"
    return f"{len(numbers)} {noun}s are left out ({reason}): {shown}"


def _parts(broken: dict[int, tuple[str, ...]]) -> str:
    return " and ".join(dict.fromkeys(name for names in broken.values() for name in names))
