"""VASP: settings, inputs, engine, restarts."""
