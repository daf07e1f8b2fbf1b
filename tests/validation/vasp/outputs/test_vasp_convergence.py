"""Whether relaxations and electronic loops converged, judged by their numbers, in vasprun.xml and OUTCAR alike."""

from typing import Any

import numpy as np
import pytest
from hand_written import RELAX, Run, Step, outcar, relaxation, write

from screening.training_data.calculation import CalculationUnreadable
from screening.validation.ingest.check import check_convergence
from screening.validation.ingest.ingest import IngestRules, ingest
from screening.validation.vasp.outputs.read_outcar import read_outcar
from screening.validation.vasp.outputs.read_vasp import read_vasp


def read(folder, run, **more):
    (calculation,) = read_vasp(write(folder, run, **more))
    return calculation


def of_outcar(folder, run, **more):
    (folder / "OUTCAR").write_text(outcar(run, **more))
    return read_outcar(folder, folder / "OUTCAR")


def why(calculation):
    return calculation.details.not_relaxed


FAR, NEAR = Step(-11.9, 0.87), Step(-12.0, 0.015)


def test_stopped_relaxation_is_not_converged_and_says_why(tmp_path):
    stopped = read(tmp_path, relaxation(Step(-11.5, 0.9), FAR))
    assert stopped.ionic_converged is False
    assert why(stopped) == "2 of NSW = 200 steps, force 0.87 eV/A, EDIFFG = -0.02; it was stopped before its end"
    (refusal,) = check_convergence(stopped).refusals
    assert refusal.startswith("the relaxation did not converge (2 of NSW = 200 steps, force 0.87 eV/A")
    (tmp_path / "STOPCAR").write_text("LSTOP = .TRUE.\n")
    assert why(read(tmp_path, relaxation(FAR))).endswith("it was stopped by STOPCAR (LSTOP)")


def test_stopped_relaxation_is_refused_by_the_command(tmp_path):
    write(tmp_path / "runs" / "stopped", relaxation(FAR))
    write(tmp_path / "runs" / "good", relaxation(FAR, NEAR))
    report = ingest([tmp_path / "runs"], tmp_path / "data", IngestRules(accept_method=True))
    assert [name for name, _ in report.refused] == ["runs/stopped"]
    assert report.outcome.added == ["runs/good"]


@pytest.mark.parametrize(
    ("run", "converged"),
    [
        (relaxation(FAR, NEAR), True),
        (relaxation(NEAR, Step(-12.0, 0.021)), False),
        (relaxation(FAR, Step(-11.9005, 0.87), EDIFFG=0.001), True),
        (relaxation(FAR, Step(-11.95, 0.001), EDIFFG=0.001), False),
        (relaxation(Step(-12.0, 0.001), EDIFFG=0.001), True),  # one step of a structure at rest
        (relaxation(FAR, EDIFFG=0.001), False),
        (relaxation(NEAR, NEAR, EDIFFG=0.0), False),
        (relaxation(NEAR, NEAR, NSW=2), False),  # all steps used
        (relaxation(Step(-12.0, 0.0, stress=50.0), ISIF=3), False),  # no force by symmetry, and far from the volume
        (relaxation(Step(-12.0, 0.0, stress=1.0), ISIF=3), True),
        (relaxation(Step(-12.0, 0.0, stress=50.0), ISIF=3, PSTRESS=50.0), True),
        (relaxation(Step(-12.0, 0.5, stress=1.0), ISIF=7), True),  # atoms do not move
        (relaxation(Step(-12.0, 0.0, stress=50.0), ISIF=4), True),  # the volume does not
        (relaxation(FAR, IBRION=3, POTIM=0.0, IOPT=3), False),
        (relaxation(NEAR, IBRION=1), True),
        (relaxation(FAR, IBRION=0), None),  # molecular dynamics
        (relaxation(FAR, NSW=1), None),
        (relaxation(FAR, NSW=0, IBRION=-1), None),
    ],
)
def test_goal_of_a_relaxation(tmp_path, run, converged):
    assert read(tmp_path, run).ionic_converged is converged


def test_only_what_may_move_counts(tmp_path):
    fixed = relaxation(FAR)
    fixed.selective = "<v> F F F </v>" * 2
    assert read(tmp_path, fixed).ionic_converged is True
    one = relaxation(FAR)
    one.selective = "<v> F F F </v><v> T T T </v>"
    assert read(tmp_path, one).ionic_converged is False
    # a force along x is (-1, 1, 1)/2 of the lattice vectors of this cell: along the first alone half the length is left
    first = relaxation(Step(-12.0, 0.04))
    first.selective = "<v> T F F </v>" * 2
    expected = 0.04 / (2 * 2.12) * np.linalg.norm([0.0, 2.12, 2.12])
    assert f"force {expected:.2g} eV/A" in why(read(tmp_path, first))


def test_an_electronic_loop_that_used_all_of_nelm_did_not_converge(tmp_path):
    run = Run(steps=[Step(loops=60)])
    assert not read(tmp_path, run).electronic_converged
    assert not of_outcar(tmp_path, run).electronic_converged  # VASP 5 prints the EDIFF line all the same
    assert of_outcar(tmp_path, Run(steps=[Step(loops=59)])).electronic_converged
    early = relaxation(Step(-11.9, 0.5, loops=60), NEAR)
    for kept in (read(tmp_path / "early", early), of_outcar(tmp_path, early, reached=True)):
        assert (len(kept.frames), kept.details.unconverged_steps, kept.converged) == (1, 1, True)


def test_an_aborted_electronic_loop_did_not_converge(tmp_path):
    write(tmp_path, relaxation(NEAR, NEAR))
    (tmp_path / "STOPCAR").write_text("LABORT = T\n")
    text = (tmp_path / "vasprun.xml").read_text()
    head, last = text.rsplit("</scstep></scstep>" if "</scstep></scstep>" in text else "</scstep>", 1)
    last_energy = head.rindex('-12.0</i><i name="e_wo_entrp">')
    changed = head[:last_energy] + "-11.7" + head[last_energy + len("-12.0") :]
    (tmp_path / "vasprun.xml").write_text(changed + "</scstep>" + last)
    assert not read_vasp(tmp_path)[0].electronic_converged


@pytest.mark.parametrize(
    ("reached", "step", "converged"), [(True, NEAR, True), (False, NEAR, True), (False, FAR, False)]
)
def test_relaxation_of_an_outcar(tmp_path, reached, step, converged):
    assert of_outcar(tmp_path, relaxation(FAR, step), reached=reached).ionic_converged is converged


def test_the_mark_of_an_earlier_run_in_the_same_outcar_does_not_count(tmp_path):
    text = outcar(relaxation(NEAR), reached=True) + outcar(relaxation(FAR), stopped=True).split("\n", 3)[3]
    (tmp_path / "OUTCAR").write_text(text)
    with_both = read_outcar(tmp_path, tmp_path / "OUTCAR")
    assert with_both.ionic_converged is False
    assert "stopped by STOPCAR" in why(with_both)


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (relaxation(FAR, Step(-12.1, 0.015)), "final energies -12.000000 and -12.100000 eV"),
        (relaxation(FAR, FAR, NEAR), "2 and 3 ionic steps"),
        (relaxation(FAR, Step(-12.0, 0.015, loops=60)), "converged and did not converge"),
        (
            Run(steps=[FAR, NEAR], parameters=RELAX, titles=("PAW_PBE Ca_sv 06Sep2000", "PAW_PBE O 08Apr2002")),
            "MgO and CaO",
        ),
    ],
)
def test_files_of_different_runs_are_refused(tmp_path, other, difference):
    with pytest.raises(CalculationUnreadable, match=r"vasprun\.xml and OUTCAR are of different runs") as error:
        read(tmp_path, relaxation(FAR, NEAR), other=other, reached=True)
    assert difference in str(error.value)


def test_files_that_judge_the_same_run_differently_are_named(tmp_path):
    with pytest.raises(CalculationUnreadable, match=r"force 0\.87.* and reached the required accuracy"):
        read(tmp_path, relaxation(FAR), reached=True)
    agreed = read(tmp_path, relaxation(FAR, NEAR), reached=False, stopped=True)
    assert agreed.converged
    assert "its numbers do" in agreed.details.warnings[0]
    silent = read(tmp_path, relaxation(FAR, NEAR), reached=True)
    assert silent.details.warnings == ()
    used_up = read(tmp_path, relaxation(FAR, NEAR, NSW=2), reached=True)
    assert used_up.converged  # the last step that was allowed reached the goal, as OUTCAR says


def test_cut_outcar_beside_a_whole_vasprun_is_noted(tmp_path):
    write(tmp_path, relaxation(FAR, NEAR), reached=True)
    text = (tmp_path / "OUTCAR").read_text()
    (tmp_path / "OUTCAR").write_text(text[: text.index("General timing")])
    (calculation,) = read_vasp(tmp_path)
    assert calculation.converged
    assert "incomplete and was not compared" in calculation.details.warnings[0]


def test_a_metal_is_read(tmp_path):
    """pymatgen gives the gap of a metal as the whole number 0."""
    write(tmp_path, relaxation(FAR, NEAR))
    path = tmp_path / "vasprun.xml"
    bands = "".join(f"<r> {energy} {filled} </r>" for energy, filled in [(-1.0, 1.0), (0.1, 0.0), (0.3, 1.0)])
    values = f"""<eigenvalues><array><set><set comment="spin 1"><set comment="kpoint 1">{bands}</set>
    </set></set></array></eigenvalues><dos><i name="efermi"> 0.2 </i></dos></calculation>"""
    head, tail = path.read_text().rsplit("</calculation>", 1)
    path.write_text(head + values + tail)
    (metal,) = read_vasp(tmp_path)
    assert (metal.band_gap, metal.converged) == (0.0, True)


def test_iterations_of_the_linear_response_are_not_those_of_the_ground_state(tmp_path):
    runs: dict[str, dict[str, Any]] = {"phonons": {"IBRION": 8, "NSW": 1}, "dielectric": {"LEPSILON": True}}
    for name, tags in runs.items():
        write(tmp_path / name, Run(steps=[Step(-12.0, 0.01)], parameters=tags))
        path = tmp_path / name / "vasprun.xml"
        other = "<scstep><energy>" + "".join(
            f'<i name="{energy}"> {value}</i>'
            for energy, value in {"e_fr_energy": -7.0, "e_wo_entrp": -6.0, "e_0_energy": -6.5}.items()
        )
        text = path.read_text().replace(
            "</scstep><structure>", "</scstep>" + f"{other}</energy></scstep>" * 100 + "<structure>"
        )
        path.write_text(text)
        (found,) = read_vasp(tmp_path / name)
        assert text.count("<scstep>") == 105
        assert (found.converged, found.energy, found.details.electronic_steps) == (True, -12.0, 5)


def test_an_algorithm_given_as_a_number_is_read(tmp_path):
    assert read(tmp_path, Run(incar={"ALGO": 38})).converged


def test_vasp_decides_on_a_tiny_energy_goal(tmp_path):
    """VASP compares the change that it expects with EDIFFG, not that between the steps it lists."""
    tiny = relaxation(FAR, Step(-11.9 - 2e-6, 0.002), EDIFFG=1e-8)
    assert read(tmp_path / "rest", tiny).ionic_converged is True
    word = relaxation(FAR, Step(-11.95, 0.03), EDIFFG=1e-3)
    assert read(tmp_path / "alone", word).ionic_converged is False
    assert read(tmp_path / "word", word, reached=True).ionic_converged is True
    assert of_outcar(tmp_path, word, reached=True).ionic_converged is True
    far = relaxation(FAR, Step(-11.95, 0.87), EDIFFG=1e-3)
    with pytest.raises(CalculationUnreadable, match=r"did not converge .* and reached the required accuracy"):
        read(tmp_path / "far", far, reached=True)


def test_a_step_that_is_left_out_is_the_one_before_all_the_same(tmp_path):
    run = relaxation(Step(-11.0, 0.9), Step(-11.9, 0.5, loops=60), Step(-11.9005, 0.05), EDIFFG=1e-3)
    assert read(tmp_path, run).ionic_converged is True


@pytest.mark.parametrize(("icharg", "refused"), [(0, False), (1, False), (2, False), (11, True), (12, True)])
def test_a_fixed_density_gives_no_energy(tmp_path, icharg, refused):
    run = Run(parameters={"ICHARG": icharg})
    for found in (read(tmp_path / "xml", run), of_outcar(tmp_path, run)):
        assert any(f"ICHARG = {icharg}" in reason for reason in check_convergence(found).refusals) is refused


def test_a_cut_vasprun_with_stars_leaves_the_word_to_outcar(tmp_path):
    write(tmp_path, relaxation(FAR, NEAR), reached=True)
    path = tmp_path / "vasprun.xml"
    path.write_text(path.read_text().replace("0.005", "****")[:-300].replace("> -11.9<", "> ****<"))
    (found,) = read_vasp(tmp_path)
    assert found.converged
    assert any("cut or broken" in note for note in found.details.warnings)
