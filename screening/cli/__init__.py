"""The command line: parse, call the door, print with the report. It imports nothing deeper."""
