"""The door: what a notebook and the command line call, one job a file; `screening` itself holds the same names.

Nothing that computes is imported before a function is called, so that a mistyped option is refused at once.
"""
