"""The stages of a screen: foundations; parent interface and bulks; properties in rounds of search; records.

Each stage is a set of flows that run together in one queue; a stage starts when the one before it is done.
"""
