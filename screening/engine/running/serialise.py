"""Atoms and metadata as plain data and back, without losing a bit."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import Any

import numpy as np
from ase import Atoms
from ase.constraints import dict2constraint

logger = logging.getLogger(__name__)


def pack_atoms(atoms: Atoms) -> dict[str, Any]:
    """Everything an Atoms object holds except its calculator: arrays, cell, pbc, info, constraints.

    Numeric arrays stay arrays, which `ase.db` stores bit for bit; the rest becomes JSON text. An entry of info that
    JSON cannot hold (ASE leaves a Spacegroup object there) is dropped, which is logged: it must not cost the result.
    """
    return {
        "arrays": {name: _pack_array(array) for name, array in atoms.arrays.items()},
        "cell": np.array(atoms.cell),
        "pbc": [bool(flag) for flag in atoms.pbc],
        "celldisp": np.array(atoms.get_celldisp()).reshape(3),
        "info": to_json({name: value for name, value in atoms.info.items() if _is_storable(name, value)}),
        "constraints": to_json([constraint.todict() for constraint in atoms.constraints]),
    }


def unpack_atoms(packed: dict[str, Any]) -> Atoms:
    """Inverse of `pack_atoms`."""
    arrays = {name: _unpack_array(value) for name, value in packed["arrays"].items()}
    atoms = Atoms(
        numbers=arrays.pop("numbers"),
        positions=arrays.pop("positions"),
        cell=packed["cell"],
        pbc=packed["pbc"],
        celldisp=packed["celldisp"],
    )
    for name, array in arrays.items():
        atoms.arrays[name] = array
    atoms.info = from_json(packed["info"])
    atoms.constraints = [dict2constraint(constraint) for constraint in from_json(packed["constraints"])]
    return atoms


def structure_hash(atoms: Atoms) -> str:
    """Hash of the exact coordinates; an integrity check, never an identity: no two machines relax to the same
    bits, so that what was computed is recognised by its recipe."""
    digest = hashlib.sha256()
    for array in (atoms.numbers.astype("<i8"), atoms.positions.astype("<f8"), np.array(atoms.cell).astype("<f8")):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:24]


def to_json(value: Any) -> str:
    """JSON text; numpy arrays and scalars and sets are allowed anywhere."""
    return json.dumps(value, default=_encode)


def from_json(text: str) -> Any:
    """Inverse of `to_json`, except that tuples come back as lists and keys as strings."""
    return json.loads(text, object_hook=_decode)


def _is_storable(name: str, value: Any) -> bool:
    try:
        to_json({name: value})
    except (TypeError, ValueError):
        logger.debug("atoms.info[%r] is a %s and is not stored", name, type(value).__name__)
        return False
    return True


def _pack_array(array: np.ndarray) -> Any:
    if array.dtype.hasobject:
        raise TypeError("an array of Python objects cannot be stored: use numbers or strings")
    return {"strings": array.tolist()} if array.dtype.kind in "US" else array


def _unpack_array(value: Any) -> np.ndarray:
    return np.array(value["strings"]) if isinstance(value, dict) else np.array(value)


def _encode(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {"__array__": value.tolist(), "dtype": value.dtype.str}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} cannot be stored: use numbers, strings, lists, dicts or numpy arrays")


def _decode(value: dict[str, Any]) -> Any:
    return np.array(value["__array__"], dtype=value["dtype"]) if set(value) == {"__array__", "dtype"} else value
