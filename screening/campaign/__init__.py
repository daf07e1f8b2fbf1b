"""Stages, ranking, resume: the whole screen."""
