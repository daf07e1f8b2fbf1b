"""The command line with three properties more: entries of the table and nothing else, as if they stood in its file."""

from screening.quantities import table
from screening.quantities.property import Header, Interval, Property, Score, Threshold

CONDUCTIVITY = Property(
    name="ionic_conductivity",
    unit="mS/cm",
    meaning="how well the toy conducts",
    better="larger",
    place="front",
    interval=Interval(short="spread over toys", how="spread over all toys of a box"),
    score=Score(scale=0.5, why="what a toy is worth"),
    threshold=Threshold(sense=100.0, nonsense="no toy conducts better than 100 mS/cm, so all would go; give less"),
    header=Header(text="cond.\nmS/cm", decimals=2),
)
EXPANSION = Property(
    name="thermal_expansion",
    unit="1e-6/K",
    meaning="how much the toy grows",
    better="smaller",
    threshold=Threshold(),
    header=Header(text="expansion\n1e-6/K", decimals=1),
)
SWELLING = Property(
    name="swelling",
    unit="percent",
    meaning="how much the toy swells at y",
    better="smaller",
    place="front",
    per_y=True,
    score=Score(scale=2.0, why="what a toy is worth"),
    threshold=Threshold(),
    header=Header(text="swelling\nmax percent", decimals=1),
)
TOYS = (CONDUCTIVITY, EXPANSION, SWELLING)

if __name__ == "__main__":
    table.PROPERTIES = (*table.PROPERTIES, *TOYS)
    from screening.cli.app import main

    main()
