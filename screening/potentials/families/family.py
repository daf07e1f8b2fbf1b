"""What a family of universal potentials states about itself, so that nothing else has to know it by name.

Names, costs and checks are asked for by help pages and refusals, which must not wait for torch: the file of a family
imports this module and little else, and its functions import what they need when they are called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from screening.potentials.base import Corrections, Potential


@dataclass(frozen=True, kw_only=True)
class BuiltIn:
    """A potential that a family offers by name, with weights that its package ships.

    Attributes
    ----------
    corrections
        See `Potential.corrections`: the scale of its energies.
    seconds_per_atom
        Of one energy and force evaluation on one CPU core, for estimates only: the larger of the figures at 60 and 120
        atoms in docs/benchmarks.md. None where it was not measured; it is then estimated as the slowest that was.
    can_be_retrained
        Whether the family's backend trains it.
    in_help
        Whether help texts list it; they leave out what few need and every refusal lists.
    """

    name: str
    corrections: Corrections
    seconds_per_atom: float | None = None
    can_be_retrained: bool = False
    in_help: bool = True


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """Names that a family takes beyond the built-in ones: the family's own name, a colon and anything.

    Attributes
    ----------
    full
        As refusals write it, for example ``"matgl:NAME_OR_PATH"``.
    short
        As help texts write it, for example ``"matgl:NAME"``.
    """

    full: str
    short: str


class NetworkCode(Protocol):
    """The module that reads a family's networks, for weights of `screen retrain`."""

    def checkpoint_of(self, name: str, /) -> Path:
        """Weights of a built-in potential."""
        ...

    def read_model(self, checkpoint: Path, device: str = "cpu") -> Any:
        """The package's own model, as trained, on the device."""
        ...

    def from_model(self, model: Any, **facts: Any) -> Potential:
        """A potential from the package's model; `facts` are the attributes of `Potential`."""
        ...


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """How a family's networks get other weights.

    Attributes
    ----------
    code
        Imports and returns the module that reads the networks.
    backend
        ``"module:class"`` of the `screening.retraining.backend.Backend` that trains them. A text, because potentials
        are used without retraining and never import it.
    """

    code: Callable[[], NetworkCode]
    backend: str


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family of potentials.

    Attributes
    ----------
    name
        In cards of retrained potentials, and before the colon of a `pattern`.
    title
        How a sentence calls one of its potentials.
    package
        What must be installed, under the name by which it is both imported and installed.
    load
        From a name and ``"auto"``, ``"cpu"`` or ``"cuda"`` to the potential; a UserError says what is wrong.
    elements
        Symbols that the potential of a name was trained on, found without its weights; None where that is unknown.
    built_in, pattern
        The names it takes.
    check
        Refuses a name that cannot be loaded here, without loading it, a missing package included; None where a
        package is all that it takes.
    runs_code
        Names are code that is called. Nothing else says whether it works, so that checking is loading; only a user
        may give such a name, never a file; and it chooses its device itself.
    fine_tuning
        None where `screen retrain` cannot train it.
    """

    name: str
    title: str
    package: str
    load: Callable[[str, str], Potential]
    elements: Callable[[str], frozenset[str] | None]
    built_in: tuple[BuiltIn, ...] = ()
    pattern: Pattern | None = None
    check: Callable[[str], object] | None = None
    runs_code: bool = False
    fine_tuning: FineTuning | None = None

    def takes(self, name: str) -> bool:
        """Whether a potential's name is one of this family."""
        in_pattern = self.pattern is not None and name.startswith(f"{self.name}:")
        return in_pattern or any(potential.name == name for potential in self.built_in)

    def corrections(self, name: str) -> Corrections:
        """Scale of the energies of a built-in potential."""
        return next(potential.corrections for potential in self.built_in if potential.name == name)

    @property
    def networks(self) -> tuple[str, ...]:
        """Built-in potentials that can be fine-tuned."""
        return tuple(potential.name for potential in self.built_in if potential.can_be_retrained)


def elements_of_mptrj(_: str) -> frozenset[str]:
    """The elements of every potential that was trained on MPtrj."""
    from screening.potentials.elements import MPTRJ

    return MPTRJ
