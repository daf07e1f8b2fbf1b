"""GPAW: settings, the engine that runs it in this process, and the reader of what it wrote."""
