"""One subcommand, one file."""
