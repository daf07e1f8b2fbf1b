"""The command that starts VASP: its words, and whether the programs that it names are here."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path

from screening.validation.protocols import EngineUnusable

# programs that start another one, which is named after their own options
LAUNCHERS = frozenset(
    (
        *("mpirun", "mpiexec", "mpiexec.hydra", "mpiexec.mpich", "mpiexec.openmpi", "mpirun.openmpi", "mpirun.mpich"),
        *("mpirun_rsh", "orterun", "prterun", "prun", "srun", "jsrun", "lrun", "aprun", "ibrun", "flux", "env", "nice"),
        *("nohup", "time", "timeout", "numactl", "taskset", "stdbuf", "setsid", "ionice", "chrt"),
    )
)
# what runs a program that need not be on this machine's path
CONTAINERS = re.compile(r"apptainer|singularity|docker|podman|shifter|charliecloud|ch-run|enroot|container", re.I)
SHELL_SIGNS = frozenset(("|", "||", "&", "&&", ";", ">", ">>", "<", "2>", "&>", "2>&1"))
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*")


def start_words(text: str) -> list[str]:
    """Words of a command, with programs that are named by a relative path looked for from here.

    Raises
    ------
    EngineUnusable
        When it cannot be started: no program, one that is not here or may not be run, or signs that only a shell knows.
    """
    try:
        words = [os.path.expanduser(word) for word in shlex.split(os.path.expandvars(text))]  # noqa: PTH111
    except ValueError as error:
        raise EngineUnusable(f"the VASP command {text!r} has a quotation mark too few; close it.") from error
    if sign := next((word for word in words if word in SHELL_SIGNS), None):
        raise EngineUnusable(
            f"the VASP command holds {sign!r}, but no shell reads it; write a script and give that, or sh -c '...'."
        )
    if ASSIGNMENT.fullmatch(words[0]):
        raise EngineUnusable(f"the VASP command begins with {words[0]!r}; put env before it, or set it beforehand.")
    words[0] = _program(words[0])
    position = _started_by(words)
    if position is not None:
        words[position] = _program(words[position])
    return words


def _program(word: str) -> str:
    """A program's path, or its name where the system finds it."""
    path = Path(word)
    if path.is_file():
        if not os.access(path, os.X_OK):
            raise EngineUnusable(f"the VASP command {word!r} is not executable; chmod +x it, or name its interpreter.")
        return str(path.absolute())  # not resolved: a link may be what makes it run
    if path.is_dir() and os.sep in word:
        raise EngineUnusable(f"the VASP command {word!r} is a folder; give the program in it.")
    if shutil.which(word) is None:
        raise EngineUnusable(f"the VASP command {word!r} does not exist; load its module or give its path.")
    return word


def _started_by(words: list[str]) -> int | None:
    """Position of the program that launchers start; None where there is none, or none that can be recognised.

    Which options take a value differs between launchers, so the first word that is a program counts; where no word is,
    the last one is taken for the program that is missing.
    """
    if Path(words[0]).name not in LAUNCHERS or any(CONTAINERS.search(word) for word in words):
        return None
    last = None
    for position, word in enumerate(words[1:], start=1):
        if word.startswith("-") or ASSIGNMENT.fullmatch(word) or re.fullmatch(r"[\d.,:x]+[smhd]?", word):
            continue
        path = Path(word)
        found = (path.is_file() and os.access(path, os.X_OK)) or shutil.which(word) is not None
        if found and path.name not in LAUNCHERS:
            return position
        if not found:
            last = position
    return last
