"""Work of adhesion and separation: the parent interface, placements, states of charge, and their records."""
