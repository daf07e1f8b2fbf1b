"""VASP: settings, inputs, the command that starts it, restarts, and flows for workflow managers."""
