"""Find the files that ship beside the code (configs/, datasets/, models/), and the folder of the user's cache.

In a source tree they lie beside `screening`, in a wheel in `screening/_assets`. Nothing is read or made here.
"""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def asset(*parts: str) -> Path:
    """Path of a shipped file or folder, the same for an editable install and for a wheel.

    Parameters
    ----------
    *parts
        Path below the asset root, for example ``asset("configs", "presets", "quick.yaml")``.

    Raises
    ------
    FileNotFoundError
        When the installation does not hold that file.
    """
    for root in (_PACKAGE / "_assets", _PACKAGE.parent):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise FileNotFoundError(f"{Path(*parts)} is not part of this installation; reinstall coatscreen")


def model_folder(path: Path) -> Path:
    """A model's folder as the user names it; where there is none, what ships under that name (``models/NAME``).

    Parameters
    ----------
    path
        Relative to where the user stands, or absolute.
    """
    if path.exists() or path.is_absolute() or path.parts[:1] != ("models",) or ".." in path.parts:
        return path
    try:
        return asset(*path.parts)
    except FileNotFoundError:
        return path


def cache_dir() -> Path:
    """Folder for what is computed or downloaded once per user: ``COATSCREEN_CACHE``, else the XDG cache folder.

    It need not exist, nor be one that can be written: what only reads finds nothing there.
    """
    own = os.environ.get("COATSCREEN_CACHE")
    if own:
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "coatscreen"
