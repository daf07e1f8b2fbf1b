"""What is computed of a candidate: adhesion, migration, stability (a folder each) and its bulk crystal.

Each has flows, which yield tasks for the engine, and makers of records from their results.
"""
