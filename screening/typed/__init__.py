"""What a person typed or wrote into a file, and how a refusal of it reads."""
