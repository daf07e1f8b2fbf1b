"""`screen` with every potential evaluation of more than 12 atoms noted in the file $EVALUATION_LOG.

Worker processes import this module again when they start, so their evaluations are noted as well. The self-check's
small crystal is left out: it runs once per start and belongs to no record.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from ase import Atoms

from screening.potentials.base import Evaluation, Potential
from screening.potentials.networks import chgnet

SELF_CHECK_ATOMS = 12

_load = chgnet.load


def load(name: str, device: str, **facts: str) -> Potential:
    potential = _load(name, device, **facts)
    plain = potential.evaluate
    log = Path(os.environ["EVALUATION_LOG"])

    def evaluate(structures: Sequence[Atoms], *, stress: bool = False) -> list[Evaluation]:
        results = plain(structures, stress=stress)
        with log.open("a") as file:
            file.write("".join("x\n" for atoms in structures if len(atoms) > SELF_CHECK_ATOMS))
        return results

    potential.evaluate = evaluate  # type: ignore[method-assign]
    return potential


chgnet.load = load  # type: ignore[assignment]

if __name__ == "__main__":
    from screening.cli.app import main

    main()
