"""Slabs of coating and cathode, the interface that is built of them, and where in it dopants and vacancies go."""
