"""Coatscreen: find dopants that make a niobate coating stick, conduct and survive on Ni-rich cathodes."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("coatscreen")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
