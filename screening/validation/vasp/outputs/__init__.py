"""What VASP wrote (vasprun.xml, OUTCAR, INCAR), read, and judged as finished, relaxed and of which method."""
