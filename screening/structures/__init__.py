"""What is computed on: bulk crystals, delithiation, slabs and interfaces, hop end points."""
