"""Every flag that a value can carry, with its meaning: the one table behind `screen rank --explain` and docs/flags.md.

A flag is made by `flag`, which refuses what the table does not explain, so that none can exist without its meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

RANKING, HOP, FRAME = "ranking", "hop", "frame"


@dataclass(frozen=True, kw_only=True)
class Flag:
    """One kind of flag.

    Attributes
    ----------
    form
        As it is written; ``{...}`` stands for what differs from case to case.
    meaning, advice
        What is true of a value that carries it, and what to make of it.
    where
        In a ranking, at a single hop in a record's details, or at a frame of the training set.
    """

    form: str
    meaning: str
    advice: str
    where: Literal["ranking", "hop", "frame"] = "ranking"


def flag(form: str, **fields: object) -> str:
    """Text of a flag.

    Parameters
    ----------
    form
        That of an entry of the table.
    fields
        What its ``{...}`` stand for.

    Raises
    ------
    KeyError
        When the table does not explain it: a mistake of whoever wrote the call.
    """
    if form not in FLAGS:
        raise KeyError(f"the flag {form!r} has no entry in screening/flags.py; explain it there")
    return form.format(**fields)


def origin_flag(word: str, what: str) -> str:
    """Flag of a value that is not the potential's own: `word` is ``dft``, ``simulated`` or ``corrected``."""
    forms = {"dft": "dft:{what}", "simulated": "simulated:{what}", "corrected": "corrected:{what}"}
    return flag(forms[word], what=what)


def entry_of(text: str) -> Flag | None:
    """Entry of a flag as it is written; None for one of another version of this program."""
    return next((FLAGS[form] for form, pattern in _patterns() if pattern.fullmatch(text)), None)


def explained(texts: Iterable[str]) -> list[tuple[str, Flag | None]]:
    """Each flag once, in the order of the table, with its entry; unknown ones at the end."""
    order = {form: n for n, form in enumerate(FLAGS)}
    found = [(text, entry_of(text)) for text in dict.fromkeys(texts)]
    return sorted(found, key=lambda pair: order[pair[1].form] if pair[1] is not None else len(order))


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    def pattern(form: str) -> re.Pattern[str]:
        pieces = re.split(r"\{\w+\}", form)
        return re.compile("[^:]+".join(map(re.escape, pieces)))

    return [(form, pattern(form)) for form in FLAGS]


_TABLE = (
    # ----- why a candidate has no rank
    Flag(
        form="missing:{what}",
        meaning="there is no value of this property",
        advice="see `failures` in summary.yaml; the command of the run computes what is missing",
    ),
    Flag(
        form="failed:{what}",
        meaning="computing this property ended without a value",
        advice="the record and summary.yaml say why; it is not ranked",
    ),
    Flag(
        form="unconverged:{what}",
        meaning="the value is there, but a relaxation or path behind it did not reach its force threshold",
        advice="raise max_steps of its section; a ranked property counts as missing until then, others stay",
    ),
    Flag(
        form="reacted",
        meaning="bonds formed or broke across the contact: P-S, Nb-O or M-O coordination changed while relaxing",
        advice="the number is a reaction and no adhesion; it is not ranked",
    ),
    Flag(
        form="reacted:{state}",
        meaning="bonds formed or broke across the contact at this state of charge",
        advice="the number is a reaction and no adhesion; the candidate is not ranked",
    ),
    Flag(
        form="not_percolating_{dimension}d",
        meaning="no path of the computed hops leads through the crystal in so many dimensions",
        advice="Li does not get through at this content, or the hops that would connect were not computed (max_hops)",
    ),
    Flag(
        form="removed:{name}={limit}",
        meaning="the candidate misses a threshold that was asked for",
        advice="leave the threshold out to see it ranked",
    ),
    Flag(
        form="removed:{name}={limit}:unknown",
        meaning="a threshold was asked for on a value that nobody knows",
        advice="leave the threshold out, or compute the value",
    ),
    # ----- the cells
    Flag(
        form="thin_slab",
        meaning="a slab has fewer than 4 atomic planes or less than 8 A",
        advice="good for a first ordering, not for publication; use --preset standard",
    ),
    Flag(
        form="polar",
        meaning="the slabs have a dipole that grows with their thickness; these planes have no termination without",
        advice="adhesion depends on the thickness; choose other Miller indices",
    ),
    Flag(
        form="x_bulk_off",
        meaning="the content of the bulk cell differs from the requested one by more than 0.02",
        advice="see the columns x_requested and x_bulk; a larger bulk.n_fu comes closer",
    ),
    Flag(
        form="x_interface_off",
        meaning="the content of the coating slab differs from the requested one by more than 0.02",
        advice="see x_interface; adhesion is that of another content than stability's",
    ),
    Flag(
        form="x_barrier_off",
        meaning="the content of the barrier cell differs from the requested one by more than 0.02",
        advice="see x_barrier; a larger migration.n_fu comes closer",
    ),
    Flag(
        form="dopants_beyond_plane",
        meaning="the atomic plane of a placement has too few sites, so that dopants sit in the next inner one too",
        advice="the contact holds fewer dopants than the placement says",
    ),
    Flag(
        form="small_barrier_cell",
        meaning="periodic images of the carrier are closer than migration.min_image_distance",
        advice="the hop feels its own images; raise migration.n_fu for a barrier to publish",
    ),
    # ----- adhesion
    Flag(
        form="li_transferred",
        meaning="Li crossed the contact plane while the interface relaxed",
        advice="part of the adhesion is this transfer; look at the structure before comparing",
    ),
    Flag(
        form="vacancy_orders:{n}of{all}",
        meaning="DFT was asked about so many of the Li-vacancy orders of the cathode",
        advice="its value stands for these; the interval is the potential's over all",
    ),
    # ----- migration
    Flag(
        form="carrier_made",
        meaning="compensation leaves no Li vacancy or interstitial, so a neutral Li was taken out to have a carrier",
        advice="the barrier is that of a carrier which has to form first; compare with other such candidates",
    ),
    Flag(
        form="network_partial",
        meaning="some hops took the saddle of another hop of their class, or were left out",
        advice="the barrier holds if classes are alike; raise migration.max_hops to compute every hop",
    ),
    Flag(
        form="few_hops",
        meaning="fewer hops gave a barrier than migration.min_hops asks for",
        advice="the highest barrier may be missing",
    ),
    Flag(
        form="critical_hop_only",
        meaning="DFT computed the potential's critical hop alone",
        advice="another hop may be critical in DFT",
    ),
    Flag(
        form="critical_hop_stand_in",
        meaning="the hop that DFT computed stands in for the potential's critical one",
        advice="see `stands_for` in the record",
    ),
    Flag(
        form="site_energies_mlip",
        meaning="the energy between the hop's end and the ground site is the potential's, not DFT's",
        advice="an error of the potential in site energies stays in the barrier",
    ),
    # ----- stability
    Flag(
        form="below_hull",
        meaning="the candidate is more stable than everything it was compared with",
        advice="it may be a new phase, or a competing phase may be missing",
    ),
    Flag(
        form="delithiated_below_hull",
        meaning="the cell without one Li is more stable than everything it was compared with",
        advice="a competing phase may be missing",
    ),
    Flag(
        form="no_limit_found",
        meaning="the window ends at the edge of the voltages that were searched (0 to 8 V)",
        advice="read it as an open end",
    ),
    Flag(
        form="predicted_phases",
        meaning="competing phases of an element were predicted by ionic substitution, because none are listed",
        advice="hull distances can be too small; give energies with --phases mp|FILE",
    ),
    Flag(
        form="few_reaction_phases",
        meaning="no sulfide or chloride of one of the metals is among the phases",
        advice="the reaction energy is a lower bound of the reactivity",
    ),
    Flag(
        form="o2_uncorrected",
        meaning="O2 is among the products and its DFT energy was not corrected",
        advice="oxidation looks too easy: the limit is too low, the driving force too high",
    ),
    Flag(
        form="u_and_no_u",
        meaning="an element with a Hubbard U competes as a metal, for which a constant U is wrong",
        advice="DFT's hull distance is uncertain where this metal is a product",
    ),
    # ----- whose value it is
    Flag(
        form="dft:{what}",
        meaning="the value is DFT's and takes the place of the potential's",
        advice="the potential's own stands beside it",
    ),
    Flag(
        form="simulated:{what}",
        meaning="the value is that of a potential which ran in the place of the DFT program",
        advice="it is no DFT; good for trying out the loop",
    ),
    Flag(
        form="corrected:{what}",
        meaning="the potential's value was corrected by a line fitted to DFT (softening correction)",
        advice="the potential's own stands beside it",
    ),
    Flag(
        form="min_from_mlip:{what}",
        meaning="DFT values exist for some states of charge only, so the minimum is the potential's",
        advice="validate all states of charge to let DFT decide",
    ),
    Flag(
        form="max_from_mlip:{what}",
        meaning="DFT values exist for some states of charge only, so the maximum is the potential's",
        advice="validate all states of charge to let DFT decide",
    ),
    Flag(
        form="failed:{kind}:{what}",
        meaning="there is a DFT value that could not take the potential's place, because computing it failed",
        advice="the potential's value stands; the record says why",
    ),
    Flag(
        form="unconverged:{kind}:{what}",
        meaning="there is a DFT value that did not take the potential's place, because it is not converged",
        advice="the potential's value stands; converge the calculation and ingest it again",
    ),
    Flag(
        form="single_point",
        meaning="DFT energies of the potential's structures, not relaxed with DFT",
        advice="good for comparing with the potential; relax with DFT for values to publish",
    ),
    # ----- single hops
    Flag(
        form="intermediate_minimum",
        meaning="the path of a hop runs through another minimum",
        advice="it is two hops in one; its highest saddle counts",
        where="hop",
    ),
    Flag(
        form="no_interior_maximum",
        meaning="an end point is the highest point of the path",
        advice="the end is no stable site of the carrier",
        where="hop",
    ),
    Flag(
        form="linear_interpolation",
        meaning="the first guess of the path was a straight line, because IDPP made atoms collide",
        advice="look at the path",
        where="hop",
    ),
    # ----- frames of the training set
    Flag(
        form="left_out_{n}_unconverged_steps",
        meaning="ionic steps whose electronic loop did not converge were left out",
        advice="the other steps are good",
        where="frame",
    ),
    Flag(
        form="cutoff_unknown",
        meaning="the file does not say the plane-wave cutoff",
        advice="make sure that it is the settings'",
        where="frame",
    ),
    Flag(
        form="cutoff_{cutoff}_eV",
        meaning="the cutoff is higher than the settings'",
        advice="the difference is small; it may be used",
        where="frame",
    ),
    Flag(
        form="potentials_unknown",
        meaning="the file does not say which POTCARs were used",
        advice="make sure that they are the settings'",
        where="frame",
    ),
    Flag(
        form="no_spin",
        meaning="the calculation is not spin-polarised and the settings are",
        advice="the same for closed shells",
        where="frame",
    ),
    Flag(
        form="kpoints_{grid}",
        meaning="the k-points differ from the settings'",
        advice="the difference is small where both are converged",
        where="frame",
    ),
)

FLAGS: dict[str, Flag] = {entry.form: entry for entry in _TABLE}
