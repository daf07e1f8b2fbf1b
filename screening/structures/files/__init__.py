"""Structure files of anybody (CIF, POSCAR, extended XYZ, others through ASE), read strictly: nothing is guessed."""
