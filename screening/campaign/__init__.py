"""The whole screen, from a request to a ranking: checks, stages, execution, outputs, and what of a run is validated.

The door calls it; nothing below imports it.
"""
