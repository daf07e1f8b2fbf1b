"""Which fidelities of records share one energy scale, and which of them are a run's own potential."""

from __future__ import annotations

VIA_VASP = "-via-vasp"


def is_potential(fidelity: str) -> bool:
    """Whether a fidelity is that of a potential itself: neither DFT nor what a potential computed in VASP's place."""
    return fidelity.startswith("mlip:") and not fidelity.endswith(VIA_VASP)


def scale(fidelity: str) -> str:
    """Fidelity without ``+u``: which elements of a *structure* have a U says nothing about the settings.

    In one set of settings LiNbO3 is ``dft:vasp-pbe:kim2026`` and its interface with a Ni-rich cathode
    ``dft:vasp-pbe+u:kim2026``; the name of the settings, which states every U, tells energy scales apart.
    """
    head, colon, settings = fidelity.rpartition(":")
    return f"{head.removesuffix('+u')}{colon}{settings}"


def same_scale(one: str, other: str) -> bool:
    """Whether values of two fidelities belong to one set of settings."""
    return scale(one) == scale(other)


def scales_of(fidelities: list[str]) -> dict[str, str]:
    """Scale to the fullest name of its fidelities (with ``+u`` where there is one), sorted."""
    found: dict[str, str] = {}
    for fidelity in sorted(fidelities, key=lambda f: (scale(f), len(f))):
        found[scale(fidelity)] = fidelity
    return found
