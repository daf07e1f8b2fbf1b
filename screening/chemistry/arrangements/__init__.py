"""Where the defects of a candidate sit in a cell: the sites they may take, random choices of them, their order."""
