"""Jobs written down as folders: their manifest, their cost."""
