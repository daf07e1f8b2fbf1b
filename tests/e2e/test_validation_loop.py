"""docs/validation.md's way to DFT and back, line by line: CHGNet screens, vpmdk is VASP, CHGNet comes back.

vpmdk's potential is CHGNet as well and it is asked for single points, so the answer is known: the potential's own
values, up to the single precision of the energies, a correction of slope 1, and the ranking that was there before.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from loop_commands import HOST, MG, ROOT, Loop, loop_commands

from screening.quantities.table import PROPERTIES, softened
from screening.retraining.softening import Softening, load_softening
from screening.tracking.session import QUIET
from screening.training_data.library import DataLibrary
from screening.validation.jobs import Manifest, read_manifest

VIA_VASP = "mlip:chgnet-via-vasp"
JOBS = "runs/first/validation/kim2026"
ENERGY = 1e-5  # eV/atom; energies in vasprun.xml have the precision of CHGNet's single floats
VALUE = 1e-3  # J/m2, eV
SLOPE = 1e-3


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    """A folder in which all of its commands have been run."""
    with pytest.MonkeyPatch.context() as patch:
        for key, value in QUIET.items():
            patch.setenv(key, value)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        made = Loop(tmp_path_factory.mktemp("loop"))
        (made.folder / "configs").symlink_to(ROOT / "configs")
        for arguments in loop_commands():
            made.done.append(made.screen(arguments))
            assert made.done[-1].returncode == 0, (
                arguments,
                made.done[-1].stdout[-3000:],
                made.done[-1].stderr[-3000:],
            )
            if made.first_ranking is None:
                made.first_ranking, made.first_tags = made.ranking("first"), made.campaign("first").data.tags
        yield made


@pytest.fixture(scope="module")
def manifest(loop: Loop) -> Manifest:
    return read_manifest(loop.folder / JOBS)


@pytest.fixture(scope="module")
def softening(loop: Loop) -> Softening:
    return load_softening(loop.folder / "models" / "loop")


@pytest.fixture(scope="module")
def library(loop: Loop) -> DataLibrary:
    return DataLibrary(loop.folder / "dft-data")


@pytest.mark.slow
def test_the_block_is_the_whole_way(loop: Loop) -> None:
    steps = [line[0] if not line[0].startswith("-") else "run" for line in loop_commands()]
    assert steps == ["run", "validate", "ingest", "retrain", "rank", "run"]
    assert [done.returncode for done in loop.done] == [0] * 6


@pytest.mark.slow
def test_host_and_candidate_send_bulk_interfaces_slabs_ends_and_bands(loop: Loop, manifest: Manifest) -> None:
    """Also both charges of the vacancy that was made in the host; Mg brings its own."""
    fixed = {"bulk", "coating"} | {f"{role}-y{y}" for role in ("interface", "substrate") for y in ("1", "0.333")}
    for candidate, charges in ((HOST, ("-q0", "-q-1")), (MG, ("",))):
        names = {job["name"].removeprefix(f"{candidate}/") for job in manifest.jobs if job["candidate"] == candidate}
        hops = {name.partition("/")[0] for name in names if name.startswith("hop-")}
        assert hops
        paths = {f"{hop}/{part}{charge}" for hop in hops for part in ("a", "b", "band") for charge in charges}
        assert names == fixed | paths
    outputs = {str(p.parent.relative_to(loop.folder / JOBS)) for p in (loop.folder / JOBS).rglob("vasprun.xml")}
    assert {re.sub(r"/\d\d$", "", name) for name in outputs} == set(manifest.names)


@pytest.mark.slow
def test_what_vpmdk_made_is_called_so_and_nowhere_dft(loop: Loop, library: DataLibrary) -> None:
    assert {entry["fidelity"] for entry in library.calculations()} == {VIA_VASP}
    assert {atoms.info["fidelity"] for atoms in library.frames()} == {VIA_VASP}
    assert {record.fidelity for record in loop.records("first")} == {"mlip:chgnet", VIA_VASP}
    assert {record.fidelity for record in loop.records("second")} == {"mlip:chgnet"}
    texts = [content.decode() for name in ("dft-data", "models") for content in loop.contents(name).values()]
    for run in ("first", "second"):
        folder = loop.folder / "runs" / run
        texts += [(folder / name).read_text() for name in ("ranking.csv", "ranking.json", "summary.yaml")]
    texts += [str(value) for tracked in loop.tracked() for value in tracked.data.tags.values()]
    texts += [done.stdout for done in loop.done]
    assert VIA_VASP in "".join(texts)
    assert not [text for text in texts if re.search(r"dft:\w", text)]
    assert not [name for name in loop.ranking("first").columns if "_dft_" in name]


@pytest.mark.slow
def test_energies_come_back_as_they_were(manifest: Manifest, library: DataLibrary) -> None:
    """Every job whose energy the potential had computed on the same structure."""
    back = {entry["job"]: entry for entry in library.calculations()}
    compared = [job for job in manifest.jobs if job["name"] in back and job["mlip_energy"] and job["role"] != "band"]
    assert {job["role"] for job in compared} == {"bulk", "interface", "substrate", "coating", "end"}
    for job in compared:
        assert back[job["name"]]["energy"] == pytest.approx(job["mlip_energy"], abs=ENERGY * job["n_atoms"])


@pytest.mark.slow
def test_values_of_the_same_structures_are_the_potentials(loop: Loop) -> None:
    simulated = [record for record in loop.records("first") if record.fidelity == VIA_VASP]
    found = {(r.candidate, r.property, round(r.details.get("y", -1), 2)) for r in simulated}
    single = {(c, p, -1) for c in (HOST, MG) for p in ("migration_barrier", "lowest_hop_barrier")}
    adhesion = {(c, p, y) for c in (HOST, MG) for p in ("work_of_adhesion", "adhesion_energy") for y in (1.0, 0.33)}
    assert found == single | adhesion
    for record in simulated:
        assert record.details["mlip"]["fidelity"] == "mlip:chgnet"
        assert record.value == pytest.approx(record.details["mlip"]["value"], abs=VALUE)


@pytest.mark.slow
def test_every_property_of_the_table_is_recorded_in_its_unit(loop: Loop) -> None:
    """Columns are called by the unit of the table, whatever a record says."""
    units = {record.property: record.unit for record in loop.records("first")}
    assert {entry.name: units.get(entry.name) for entry in PROPERTIES} == {e.name: e.unit for e in PROPERTIES}


@pytest.mark.slow
def test_the_correction_is_the_identity(softening: Softening) -> None:
    assert (softening.base, softening.fidelity) == ("mlip:chgnet", VIA_VASP)
    assert set(softening.lines) == set(softened())
    # two candidates, and two states of charge for adhesion
    assert {prop: len(line.pairs) for prop, line in softening.lines.items()} == {
        "migration_barrier": 2, "lowest_hop_barrier": 2, "work_of_adhesion": 4,
    }  # fmt: skip
    for line in softening.lines.values():
        assert line.slope == pytest.approx(1.0, abs=SLOPE)
        assert line.offset == pytest.approx(0.0, abs=VALUE)
        assert line.left_out_error < VALUE


@pytest.mark.slow
def test_the_first_ranking_shows_both_values_and_which_of_them_are_simulated(loop: Loop) -> None:
    before, after = loop.first_ranking, loop.ranking("first")
    assert before is not None
    assert not [name for name in before.columns if "simulated" in name]
    for candidate in (HOST, MG):
        row = after.loc[candidate]
        flags = str(row["flags"]).split(";")
        assert {"simulated:work_of_adhesion", "simulated:migration_barrier", "single_point"} <= set(flags)
        for name in ("work_of_adhesion_y1", "work_of_adhesion_y0.333", "work_of_adhesion_min"):
            assert row[f"{name}_J_m2"] == row[f"{name}_simulated_J_m2"]
        for name in ("migration_barrier", "lowest_hop_barrier"):
            assert row[f"{name}_eV"] == row[f"{name}_simulated_eV"]
        # one vacancy order exists at y = 1 and one hop is the lowest, so these were asked for completely
        for name, unit in (("work_of_adhesion_y1", "J_m2"), ("lowest_hop_barrier", "eV")):
            own = before.loc[candidate, f"{name}_{unit}"]
            assert row[f"{name}_mlip_{unit}"] == own
            assert row[f"{name}_simulated_{unit}"] == pytest.approx(own, abs=VALUE)
        assert "vacancy_orders:1of2" in flags  # at y = 1/3 only one of two was, and the ranking says so
    assert after["rank"].to_dict() == before["rank"].to_dict()
    assert set(after["rank"]) == {1, 2}
    assert "The potential's order against simulated values (no DFT)" in loop.done[4].stdout


@pytest.mark.slow
def test_the_corrected_potential_ranks_as_the_potential_does(loop: Loop) -> None:
    before, second = loop.first_ranking, loop.ranking("second")
    assert before is not None
    for candidate in (HOST, MG):
        row = second.loc[candidate]
        assert {"corrected:work_of_adhesion", "corrected:migration_barrier"} <= set(row["flags"].split(";"))
        adhesion = [(f"work_of_adhesion_{which}", "J_m2") for which in ("y1", "y0.333", "min")]
        for name, unit in (*adhesion, ("migration_barrier", "eV"), ("lowest_hop_barrier", "eV")):
            assert row[f"{name}_{unit}"] == pytest.approx(row[f"{name}_mlip_{unit}"], abs=VALUE)
            assert row[f"{name}_{unit}"] == pytest.approx(before.loc[candidate, f"{name}_{unit}"], abs=5 * VALUE)
    assert second["rank"].to_dict() == before["rank"].to_dict()


@pytest.mark.slow
def test_mlflow_shows_which_data_each_ranking_used(loop: Loop, library: DataLibrary) -> None:
    first, second = loop.campaign("first"), loop.campaign("second")

    def inputs(run):
        return {(i.dataset.name, i.dataset.digest) for i in run.inputs.dataset_inputs if i.dataset.name != "ranking"}

    # before: no data. After `rank`: the values that were ingested into the run
    assert (loop.first_tags["dft_data_version"], loop.first_tags["fidelity"]) == ("none", "mlip:chgnet")
    version = first.data.tags["dft_data_version"]
    assert re.fullmatch("[0-9a-f]{12}", version)
    assert first.data.tags["fidelity"] == f"mlip:chgnet + {VIA_VASP}"
    assert inputs(first) == {("dft-records", version)}
    assert first.data.params["settings.potential"] == "chgnet"
    # the second ranking rests on what its potential was made from
    assert second.data.tags["dft_data_version"] == library.version
    assert second.data.tags["dft_data_version.potential"] == f"{library.version} (models/loop)"
    assert inputs(second) == {("dft-data", library.version)}
    assert second.data.params["settings.potential"] == "models/loop"

    (training,) = [run for run in loop.tracked() if "coatscreen.training" in run.data.tags]
    assert training.info.run_name == "loop"
    assert training.data.tags["dft_data_version"] == library.version
    assert inputs(training) == {("dft-data", library.version)}
    # two campaigns with a run for each of two candidates, and a training: nothing twice
    assert len(loop.tracked()) == 2 * 3 + 1
    assert {run.info.status for run in loop.tracked()} == {"FINISHED"}


@pytest.mark.slow
def test_ingesting_again_changes_nothing(loop: Loop) -> None:
    data, records = loop.contents("dft-data"), loop.records("first")
    again = loop.screen(["ingest", JOBS, "--allow-simulated"])
    assert again.returncode == 0, again.stderr
    assert "0 calculations ingested" in again.stdout
    assert "0 records written" in again.stdout
    assert loop.contents("dft-data") == data
    assert loop.records("first") == records


@pytest.mark.slow
def test_without_allow_simulated_nothing_is_taken_in(loop: Loop, manifest: Manifest) -> None:
    records = loop.records("first")
    refused = loop.screen(["ingest", JOBS, "--data", "strict"])
    assert refused.returncode == 2
    for name in manifest.names:
        assert f"kim2026/{name}: not ingested: it was not made by VASP but by the potential chgnet" in refused.stdout
    assert f"{len(manifest.names)} not ingested, 0 records written" in refused.stdout
    assert loop.contents("strict") == {}
    assert loop.records("first") == records


# -- in the wrong order ---------------------------------------------------------------------------------------------


def one_sentence(loop: Loop, arguments: list[str], *fragments: str) -> None:
    """Exit code 2 and, after warnings if any, one line that says what is wrong and what to do; nothing is written."""
    before = sorted(loop.folder.rglob("*"))
    done = loop.screen(arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = [line for line in done.stderr.splitlines() if not line.endswith("are left out")]
    assert line.startswith("screen: ")
    for fragment in fragments:
        assert fragment in line
    assert done.stdout == ""
    assert sorted(loop.folder.rglob("*")) == before


def test_each_command_before_its_turn_is_one_sentence(tmp_path) -> None:
    empty = Loop(tmp_path)
    (tmp_path / "notes").mkdir()
    commands = {line[0]: line for line in loop_commands()}
    one_sentence(empty, commands["validate"], "there is no run at runs/first", "folder that `screen` wrote")
    one_sentence(empty, ["validate", "notes"], "there is no run at notes", "folder that `screen` wrote")
    one_sentence(empty, commands["ingest"], "runs/first/validation/kim2026 does not exist")
    one_sentence(empty, ["retrain", "--data", "dft-data"], "dft-data", "screen ingest")
    one_sentence(empty, commands["rank"], "there is no run at runs/first")
    one_sentence(empty, loop_commands()[-1], "configs/examples/loop.yaml")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    one_sentence(empty, loop_commands()[-1], "models/loop", "screen retrain")


@pytest.mark.slow
def test_retrain_on_a_run_into_which_nothing_was_ingested_is_one_sentence(loop: Loop, tmp_path) -> None:
    """First there are no data at all, then data that did not come from this run."""
    other = Loop(tmp_path)
    shutil.copytree(loop.folder / "runs" / "second", tmp_path / "runs" / "first")
    (command,) = [line for line in loop_commands() if line[0] == "retrain"]
    one_sentence(other, command, "dft-data", "screen ingest")
    shutil.copytree(loop.folder / "dft-data", tmp_path / "dft-data")
    one_sentence(other, command, "of the DFT there is none in these records", "screen ingest")
