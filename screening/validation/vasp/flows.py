"""The jobs of a manifest as a jobflow Flow, for submission with jobflow-remote or FireWorks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening.errors import UserError
from screening.validation.jobs import in_order, read_manifest

if TYPE_CHECKING:
    from jobflow import Flow


def manifest_flow(folder: Path, command: str) -> Flow:
    """One jobflow job per job of the manifest in `folder`, in the order of their dependencies.

    Each job runs the inputs where they lie, as `screen validate --run` would: custodian, restarts and all. A job whose
    parent failed does not start; a job that is the same as another (``same_as``) is left to that one. atomate2's own
    makers write inputs of their own and are not used, since the inputs of a validation are written and checked. A band
    starts from the path that was written, its end points' energies are read from their own jobs.

    Parameters
    ----------
    command
        Command that starts VASP where the job runs.

    Raises
    ------
    UserError
        When jobflow is not installed, or the manifest cannot be read or is not for VASP.
    """
    try:
        from jobflow import Flow, job
    except ImportError as error:
        raise UserError("submission needs jobflow: pip install 'coatscreen[dft]'.") from error

    manifest = read_manifest(folder)
    if manifest.engine != "vasp":
        raise UserError(f"the jobs in {folder} are for {manifest.engine}; only VASP jobs are submitted as a flow.")
    run = job(run_in_folder)
    made: dict[str, Any] = {}
    same = {entry["name"]: entry["same_as"] for entry in manifest.jobs if entry.get("same_as") in manifest.names}
    by_name = {entry["name"]: entry for entry in manifest.jobs}
    waits_for = {name: [*(e.get("after") or ()), e.get("same_as", "")] for name, e in by_name.items()}
    for entry in (by_name[name] for name in in_order(waits_for) if name not in same):
        names = [same.get(name, name) for name in entry.get("after") or ()]
        parents = [made[name].output for name in names if name in made]
        step = run(str(manifest.folder.resolve() / entry["name"]), command, parents)
        step.name = entry["name"]
        made[entry["name"]] = step
    return Flow(list(made.values()), name=f"validation {manifest.settings} of {manifest.run.name}")


def run_in_folder(folder: str, command: str, parents: list[Any]) -> dict[str, Any]:
    """Run one job's folder.

    Parameters
    ----------
    parents
        Outputs of the jobs this one comes after; jobflow starts it when they are there.

    Returns
    -------
    Folder, energies (eV) of its calculations and what simulated VASP, if anything did.
    """
    from screening.validation.vasp.engine import run_vasp_job, vasp_command
    from screening.validation.vasp.outputs.read_vasp import read_vasp

    path = Path(folder)
    run_vasp_job(path, vasp_command(command))
    calculations = read_vasp(path)
    return {
        "folder": folder,
        "energies": [calculation.energy for calculation in calculations],
        "simulated_by": calculations[-1].simulated_by,
    }
