"""What a person typed or wrote into a file: how it is read, and how a refusal of it names the place."""
