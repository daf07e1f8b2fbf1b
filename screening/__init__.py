"""Coatscreen: find dopants that make a niobate coating stick, conduct and survive on Ni-rich cathodes."""


def __getattr__(name: str) -> str:
    """``__version__``, looked up when somebody asks: what finds it takes longer to import than all that starts us."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("coatscreen")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0+unknown"
