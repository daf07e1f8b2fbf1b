"""Work of adhesion: the parent interface, placements, states of charge, and their records."""
