"""DFT: inputs, running, parsing, ingesting, and what it says about the potential."""
