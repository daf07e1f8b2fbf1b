"""Jobs written down as folders that anybody can run: inputs, manifest, and what they will cost."""
