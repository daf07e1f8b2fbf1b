"""GPAW: settings, engine, and readers of what it wrote."""
