"""MgO runs in VASP's file formats, written by hand: each test says what differs from a good run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TITLES = ("PAW_PBE Mg_pv 13Apr2007", "PAW_PBE O 08Apr2002")
VALENCES = (8.0, 6.0)
STARS = "*" * 16
CELL = ((0.0, 2.12, 2.12), (2.12, 0.0, 2.12), (2.12, 2.12, 0.0))
VOLUME = 19.056256


@dataclass
class Step:
    """One ionic step; a text stands where VASP could not print a number."""

    energy: float | str = -12.0
    force: float | str = 0.005
    """x component on both atoms, eV/A, with opposite signs."""
    stress: float | str = 0.0
    """Diagonal, kbar."""
    x: float | str = 0.5
    loops: int = 5


@dataclass
class Run:
    """A run and what its files say of it."""

    steps: list[Step] = field(default_factory=lambda: [Step()])
    incar: dict = field(default_factory=dict)
    parameters: dict = field(default_factory=dict)
    nelm: int = 60
    selective: str = ""
    electrons: float | str = 14.0
    titles: tuple[str, ...] = TITLES


RELAX = {"NSW": 200, "IBRION": 2, "ISIF": 2, "EDIFFG": -0.02}


def relaxation(*steps: Step, **parameters: Any) -> Run:
    """A relaxation with conjugate gradients, at most 200 steps and forces below 0.02 eV/A."""
    return Run(steps=list(steps), parameters={**RELAX, **parameters})


def vasprun(run: Run) -> str:
    """Text of vasprun.xml."""
    parameters = {"ENMAX": 500.0, "NELECT": run.electrons, "ISPIN": 1, "NELM": run.nelm, "EDIFF": 1e-5, "GGA": "PE",
                  "LHFCALC": False, "NSW": 0, "IBRION": -1, "ISIF": 2, "EDIFFG": -0.02, "PSTRESS": 0.0,
                  **run.parameters}  # fmt: skip
    rows = "".join(
        f"<rc><c> 1 </c><c>{title.split()[1].split('_')[0]}</c><c> 10.0 </c><c> {valence} </c><c> {title} </c></rc>"
        for title, valence in zip(run.titles, VALENCES, strict=True)
    )
    atoms = "".join(
        f"<rc><c>{title.split()[1].split('_')[0]}</c><c> {i} </c></rc>" for i, title in enumerate(run.titles, 1)
    )
    return f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
<generator><i name="program" type="string">vasp </i><i name="version" type="string">6.4.2 </i></generator>
<incar>{"".join(_tag(*item) for item in run.incar.items())}</incar>
<kpoints><generation param="Gamma"><v type="int" name="divisions"> 3 3 3 </v></generation>
<varray name="kpointlist"><v> 0.0 0.0 0.0 </v></varray><varray name="weights"><v> 1.0 </v></varray></kpoints>
<parameters>{"".join(_tag(*item) for item in parameters.items())}</parameters>
<atominfo><atoms> 2 </atoms><types> 2 </types>
<array name="atoms"><set>{atoms}</set></array>
<array name="atomtypes"><set>{rows}</set></array></atominfo>
{_structure("initialpos", run.steps[0].x, run.selective)}
{"".join(_calculation(step, run.selective) for step in run.steps)}
{_structure("finalpos", run.steps[-1].x, run.selective)}
</modeling>
"""


def outcar(run: Run, *, reached: bool = False, stopped: bool = False, echo: str = "", block: str = "") -> str:
    """Text of an OUTCAR; VASP 5 prints the line on EDIFF after each electronic loop, converged or not."""
    tags = {"ENCUT": "500.0 eV", "ISPIN": 1, "NELM": f"{run.nelm};", "EDIFF": "0.1E-04", "GGA": "PE",
            "METAGGA": "F", "LHFCALC": "F", "NSW": 0, "IBRION": -1, "ISIF": 2, "EDIFFG": "-.2E-01",
            **run.parameters}  # fmt: skip
    lines = [" vasp.5.4.4", " INCAR:", echo, *(f"   TITEL  = {title}" for title in run.titles)]
    lines += [f" POTCAR:    {title}" for title in run.titles] * 2
    lines += ["   ions per type =               1   1", "  Ionic Valenz", "   ZVAL   =   8.00  6.00"]
    lines += [
        "   k-points           NKPTS =      1   k-points in BZ     NKDIM =      1   number of bands    NBANDS=      8"
    ]
    lines += [f"   {name}  =  {value}    of this run" for name, value in tags.items()]
    lines += [f"   NELECT =    {run.electrons}    total number of electrons", block]
    lines += [" k-points in reciprocal lattice and weights: x", "   0.00000000  0.00000000  0.00000000       1.000"]
    for number, step in enumerate(run.steps, 1):
        lines += _outcar_step(number, step)
    if stopped:
        lines.append(" soft stop encountered!  aborting job ...")
    if reached:
        lines.append(" reached required accuracy - stopping structural energy minimisation")
    return "\n".join([*lines, " General timing and accounting informations for this job:", ""])


def write(folder: Path, run: Run, **more: Any) -> Path:
    """Write vasprun.xml, and OUTCAR where `more` says what it holds."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vasprun.xml").write_text(vasprun(run))
    if more:
        (folder / "OUTCAR").write_text(outcar(more.pop("other", run), **more))
    return folder


def _tag(name: str, value: object) -> str:
    if isinstance(value, bool):
        return f'<i type="logical" name="{name}"> {"T" if value else "F"} </i>'
    if isinstance(value, list):
        return f'<v name="{name}"> {" ".join(map(str, value))} </v>'
    kind = (
        ' type="int"'
        if isinstance(value, int)
        else ""
        if isinstance(value, float) or "*" in str(value)
        else ' type="string"'
    )
    return f'<i{kind} name="{name}"> {value}</i>'


def _structure(name: str, x: object, selective: str = "") -> str:
    basis = "".join(f"<v> {' '.join(map(str, row))} </v>" for row in CELL)
    flags = f'<varray name="selective" type="logical">{selective}</varray>' if selective else ""
    label = f' name="{name}"' if name else ""
    return (
        f'<structure{label}><crystal><varray name="basis">{basis}</varray><i name="volume">{VOLUME}</i>'
        f'<varray name="rec_basis">{basis}</varray></crystal>'
        f'<varray name="positions"><v> 0.0 0.0 0.0 </v><v> {x} 0.5 0.5 </v></varray>{flags}</structure>'
    )


def _energies(energy: object) -> str:
    names = ("e_fr_energy", "e_wo_entrp", "e_0_energy")
    return "<energy>" + "".join(f'<i name="{name}"> {energy}</i>' for name in names) + "</energy>"


def _calculation(step: Step, selective: str) -> str:
    other = step.force if isinstance(step.force, str) else -step.force
    stress = "".join(f"<v> {' '.join(map(str, row))} </v>" for row in _diagonal(step.stress))
    return (
        f"<calculation>{f'<scstep>{_energies(step.energy)}</scstep>' * step.loops}{_structure('', step.x, selective)}"
        f'<varray name="forces"><v>{step.force} 0.0 0.0 </v><v>{other} 0.0 0.0 </v></varray>'
        f'<varray name="stress">{stress}</varray>{_energies(step.energy)}</calculation>\n'
    )


def _diagonal(value: object) -> list[list[object]]:
    return [[value if i == j else 0.0 for j in range(3)] for i in range(3)]


def _outcar_step(number: int, step: Step) -> list[str]:
    x = step.x if isinstance(step.x, str) else 4.24 * step.x
    other = step.force if isinstance(step.force, str) else -step.force
    lines = [f"------- Iteration {number:6d}({loop:4d})  -------" for loop in range(1, step.loops + 1)]
    lines += ["------------------------ aborting loop because EDIFF is reached -----------------------"]
    lines += [f"  in kB  {' '.join(map(str, (step.stress,) * 3))} 0.0 0.0 0.0"]
    lines += ["      direct lattice vectors                 reciprocal lattice vectors"]
    lines += [f"    {' '.join(f'{a:.9f}' for a in row)}     0.1 0.1 0.1" for row in CELL] + [""]
    lines += [" POSITION                                       TOTAL-FORCE (eV/Angst)", " " + "-" * 40]
    lines += [f"   0.0 0.0 0.0   {step.force} 0.0 0.0", f"   {x} 2.12 2.12   {other} 0.0 0.0", " " + "-" * 40]
    lines += ["    total drift:                               0.0  0.0  0.0", ""]
    lines += ["  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)", "  " + "-" * 40]
    lines += [f"  free  energy   TOTEN  =       {step.energy} eV", ""]
    lines += [f"  energy  without entropy=      {step.energy}  energy(sigma->0) =      {step.energy}", ""]
    return lines
