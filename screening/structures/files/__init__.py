"""Structure files of anybody, read strictly."""
