"""The table of properties: what is computed of a candidate, in which unit, and how it is ranked, shown and explained.

To add one, write an entry here (`screening.quantities.property` says what it may hold), let screening/properties make
records of that name and unit, and make docs/columns.md again. From the entry follow the columns of ranking.csv,
ranking.json and MLflow with their unit, those of the terminal, weight and threshold in the settings and in
`screen rank`, the score, the panel of the figure and the comparison with DFT. A record of a property that has no entry
is in ranking.csv as well, behind everything else.

The order is that in which properties are collected, scored and listed.
"""

from __future__ import annotations

from screening.defaults import VOLTAGE
from screening.quantities.property import Header, Interval, Property, Score, Threshold

SELECTION = Interval(
    short="95 % interval of the selection rule",
    how="95 % bootstrap of the selection rule over placements and vacancy orders",
)
HOPS = Interval(short="spread over hops", how="spread over the hops of the path")

PROPERTIES: tuple[Property, ...] = (
    # ----- adhesion
    Property(
        name="work_of_adhesion",
        unit="J/m2",
        meaning="-(E(interface) - E(cathode slab) - E(coating slab)) / area at y Li per cathode formula unit; positive "
        "= bound; each slab keeps the interface's own arrangement",
        better="larger",
        place="front",
        per_y=True,
        interval=SELECTION,
        score=Score(
            scale=0.1,
            why="twice the 0.05 J/m2 to which adhesion is converged in slab planes; about a tenth of LiNbO3/NCM811",
        ),
        threshold=Threshold(order=2),
        header=Header(text="adhesion\nmin J/m2", decimals=2),
        softens=True,
    ),
    Property(
        name="work_of_adhesion_eq",
        unit="J/m2",
        meaning="the same against the coating slab's own lowest arrangement: another question, not ranked",
        better="larger",
        place="front",
        per_y=True,
        header=Header(text="re-equilibrated\nmin", decimals=2, beside="work_of_adhesion"),
    ),
    # ----- migration
    Property(
        name="migration_barrier",
        unit="eV",
        meaning="highest saddle minus lowest site energy on the best path that percolates in three dimensions",
        better="smaller",
        place="front",
        interval=HOPS,
        score=Score(scale=0.1, why="a factor exp(0.1 eV / kT) = 49 in hop rate at 298 K"),
        threshold=Threshold(
            order=3, sense=0.0, nonsense="nothing lies below 0, so every candidate would go; give 0 or more"
        ),
        header=Header(text="barrier\neV", decimals=2),
        softens=True,
    ),
    Property(
        name="migration_barrier_1d",
        unit="eV",
        meaning="highest saddle minus lowest site energy on the best path that percolates in one dimension",
        better="smaller",
        place="last",
        interval=HOPS,
    ),
    Property(
        name="lowest_hop_barrier",
        unit="eV",
        meaning="the lowest barrier of any single hop, the smaller of both its directions",
        better="smaller",
        place="last",
        softens=True,
    ),
    # ----- stability
    Property(
        name="oxidation_driving_force",
        unit="eV/atom",
        meaning=f"decomposition energy at {VOLTAGE:g} V vs Li/Li+ (`stability.voltage`), from the candidate's own "
        "energy",
        better="smaller",
        place="front",
        score=Score(scale=0.025, why="kT at 298 K"),
        header=Header(text="oxid.\neV/atom", decimals=3),
    ),
    Property(
        name="e_above_hull",
        unit="eV/atom",
        meaning="distance of the candidate's own energy from the hull of competing phases",
        better="smaller",
        place="front",
        score=Score(
            scale=0.025,
            why="kT at 298 K; observed metastable crystals lie 0.015 (median) to 0.067 (90th percentile) eV/atom above "
            "the hull, Sun et al., Sci. Adv. 2016, doi:10.1126/sciadv.1600225",
        ),
        threshold=Threshold(
            order=1, sense=0.0, nonsense="nothing lies below 0, so every candidate would go; give 0 or more"
        ),
        header=Header(text="hull\neV/atom", decimals=3),
    ),
    Property(
        name="window_reduction",
        unit="V",
        meaning="lower end of the range, vs Li/Li+, in which the candidate itself is stable; empty when it is nowhere",
        better="smaller",
        place="front",
        header=Header(text="window\nV", decimals=2, up_to="window_oxidation"),
    ),
    Property(
        name="window_oxidation",
        unit="V",
        meaning="upper end of that range",
        better="larger",
        place="front",
    ),
    Property(
        name="delithiation_voltage",
        unit="V",
        meaning="voltage vs Li/Li+ at which the first Li goes out, lattice kept",
        better="larger",
        place="front",
    ),
    # ----- reactions
    Property(
        name="reaction_energy_cathode",
        unit="eV/atom",
        meaning="most negative reaction energy with the cathode (the worse of charged and discharged), no Li exchanged",
        better="larger",
        threshold=Threshold(
            hint="< 0", sense=0.0, nonsense="no reaction energy is above 0, so all would go; give 0 or less"
        ),
    ),
    Property(
        name="reaction_energy_electrolyte",
        unit="eV/atom",
        meaning="the same with the electrolyte (`stability.electrolyte`, LPSCB unless a file says another)",
        better="larger",
        threshold=Threshold(
            hint="< 0", sense=0.0, nonsense="no reaction energy is above 0, so all would go; give 0 or less"
        ),
    ),
)


def find(name: str) -> Property | None:
    """Entry of a property; None for one that the table does not have (a record's property may be any)."""
    return next((entry for entry in PROPERTIES if entry.name == name), None)


def named(name: str) -> Property:
    """Entry of a property that the table has.

    Raises
    ------
    KeyError
        When it does not.
    """
    entry = find(name)
    if entry is None:
        raise KeyError(f"no property {name!r} in screening/quantities/table.py")
    return entry


def ranked() -> tuple[Property, ...]:
    """What is ranked, in the order of the table."""
    return tuple(entry for entry in PROPERTIES if entry.score is not None)


def with_threshold() -> tuple[Property, ...]:
    """Properties with a threshold, in the order of the settings."""
    found = [(entry.threshold.order, entry) for entry in PROPERTIES if entry.threshold is not None]
    return tuple(entry for _, entry in sorted(found, key=lambda pair: pair[0]))


def softened() -> tuple[str, ...]:
    """Names of what a line fitted to DFT may correct; those per state of charge last, as in cards of corrections."""
    return tuple(e.name for e in sorted(PROPERTIES, key=lambda entry: entry.per_y) if e.softens)


def units() -> tuple[str, ...]:
    """Every unit once, the longest first: a name that ends with one may end with a part of it too."""
    return tuple(sorted({entry.unit for entry in PROPERTIES}, key=lambda unit: (-len(unit), unit)))
