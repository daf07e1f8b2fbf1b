"""The subcommands of `screen`, one file each: options with their help, one call, one print."""
