"""Entries of an extended XYZ comment line as ASE reads them, where it would refuse or overlook what others write."""

from __future__ import annotations

import re
from typing import Any

VOIGT = "_in_six"
"""What is appended to the name of a stress or virial of six numbers, for which ASE refuses the whole file."""
RESERVED = re.compile(r"\b(lattice|properties) *=", re.IGNORECASE)
"""GPUMD writes these names in lower case, and reads them in any."""
_TENSOR = re.compile(r"""\b(\w*(?:stress|virial)s?)=(["'{\[])([^"'}\]]*)(["'}\]])""", re.IGNORECASE)


def entries_of(line: str) -> dict[str, Any]:
    """Entries of a comment line, for ASE's ``properties_parser``."""
    from ase.io.extxyz import key_val_str_to_dict

    def renamed(match: re.Match[str]) -> str:
        name, start, values, end = match.groups()
        return f"{name}{VOIGT if len(values.replace(',', ' ').split()) == 6 else ''}={start}{values}{end}"

    line = RESERVED.sub(lambda match: match[1].capitalize() + "=", line)
    entries: dict[str, Any] = key_val_str_to_dict(_TENSOR.sub(renamed, line))
    return entries
