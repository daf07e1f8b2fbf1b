"""Folders of `screen retrain` as potentials."""

import shutil

import pytest
import yaml

from screening.engine.running.queue import run_flows
from screening.engine.running.store import RecordStore
from screening.engine.running.workforce import Workforce
from screening.engine.tasks import RelaxTask
from screening.errors import UserError
from screening.files import sha256_of
from screening.potentials.networks import chgnet, sevennet
from screening.potentials.registry import built_in_base, check_name, fitted_elements, load_potential
from screening.potentials.selfcheck import lithium_niobate
from screening.properties.stability.competing import check_zero_points
from screening.properties.stability.phase_set import compute_phases

FAMILIES = {"chgnet": chgnet.checkpoint_of, "sevennet-0": sevennet.checkpoint_of}


def model_folder(root, name, base="chgnet", **card):
    """A folder whose checkpoint is a copy of a built-in one."""
    folder = root / name
    folder.mkdir(parents=True)
    shutil.copyfile(FAMILIES[base](base), folder / "checkpoint.pth")
    content = {
        "kind": "finetuned",
        "promoted": True,
        "reasons": [],
        "base": base,
        "family": base.split("-")[0],
        "checkpoint": "checkpoint.pth",
        "checkpoint_sha256": sha256_of(folder / "checkpoint.pth"),
        "corrections": "own-hull",
        "fitted_elements": None,
    } | card
    (folder / "card.yaml").write_text(yaml.safe_dump(content))
    return folder


@pytest.mark.parametrize("base", ["chgnet", "sevennet-0"])
def test_a_folder_is_a_potential(tmp_path, base):
    folder = model_folder(tmp_path / "elsewhere", "mine", base, fitted_elements=["Li", "Nb", "O"])
    check_name(str(folder))
    potential, original = load_potential(f"{folder}/", "cpu"), load_potential(base, "cpu", self_check=False)
    assert (potential.name, potential.corrections) == ("models/mine", "own-hull"), "no path of this machine in records"
    assert potential.checkpoint_sha256 == original.checkpoint_sha256
    (one,), (other,) = (p.evaluate([lithium_niobate()], stress=True) for p in (potential, original))
    assert one.energy == pytest.approx(other.energy, abs=1e-5)
    assert one.forces == pytest.approx(other.forces, abs=1e-5)
    assert fitted_elements(str(folder)) == {"Li", "Nb", "O"}


def test_the_network_of_a_potential_that_was_retrained_twice(tmp_path):
    first, second = model_folder(tmp_path, "first"), model_folder(tmp_path, "second")
    card = yaml.safe_load((second / "card.yaml").read_text())
    (second / "card.yaml").write_text(yaml.safe_dump(card | {"base": str(first)}))
    assert built_in_base(str(second)) == built_in_base("chgnet") == "chgnet"


def test_a_folder_in_the_current_one_needs_no_slash(tmp_path, monkeypatch):
    monkeypatch.chdir(model_folder(tmp_path, "mine").parent)
    assert load_potential("mine", "cpu", self_check=False).name == "models/mine"


def test_workers_load_a_folder(tmp_path):
    """Two processes of their own, each given the folder's name."""
    folder = model_folder(tmp_path, "mine")

    def flow():
        tasks = [RelaxTask(recipe={"n": n}, atoms=lithium_niobate(), max_steps=0) for n in range(2)]
        results = yield tasks
        return [result.energy for result in results]

    outcome = run_flows(
        {"flow": flow()},
        store=RecordStore(tmp_path / "store.db"),
        workforce=Workforce(potential_name=str(folder), workers=2, self_check=False),
    )["flow"]
    (expected,) = load_potential("chgnet", "cpu", self_check=False).evaluate([lithium_niobate()])
    assert outcome.failure is None
    assert outcome.value == pytest.approx([expected.energy] * 2, abs=1e-5)


def test_a_softening_correction_stands_for_its_base(tmp_path):
    folder = tmp_path / "soft"
    folder.mkdir()
    (folder / "card.yaml").write_text(yaml.safe_dump({"kind": "softening", "base": "chgnet", "softening": {}}))
    assert load_potential(str(folder), "cpu", self_check=False) is load_potential("chgnet", "cpu", self_check=False)
    (folder / "card.yaml").write_text(yaml.safe_dump({"kind": "softening", "base": "chgnett"}))
    with pytest.raises(UserError, match="nearest valid name is 'chgnet'"):
        check_name(str(folder))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"checkpoint_sha256": "0" * 64}, "is not the file that .* describes"),
        ({"checkpoint": "other.pth"}, "other.pth is missing"),
        ({"promoted": False, "reasons": ["held-out force error grew"]}, "was rejected .*held-out force error grew"),
        ({"kind": "surrogate"}, "the kind is 'surrogate'"),
        ({"family": "mace"}, "the family is 'mace'"),
        ({"corrections": "none"}, "the corrections are 'none'; use MP2020-in-model, MP2020-needed, own-hull"),
    ],
)
def test_cards_that_cannot_be_used_say_why(tmp_path, change, reason):
    folder = model_folder(tmp_path, "mine", **change)
    with pytest.raises(UserError, match=reason) as error:
        load_potential(str(folder), "cpu", self_check=False)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content", ["[]", "kind: finetuned", ": :", "kind: finetuned\nbase: chgnet\nfitted_elements: 3"]
)
def test_files_that_are_no_card(tmp_path, content):
    (tmp_path / "card.yaml").write_text(content)
    with pytest.raises(UserError, match="is not the card of a retrained potential"):
        check_name(str(tmp_path))


def test_a_path_without_a_card_is_named(tmp_path):
    with pytest.raises(UserError, match=r"holds no card\.yaml"):
        check_name(str(tmp_path / "absent"))
    with pytest.raises(UserError, match="models/NAME"):
        check_name("qqq")


def test_a_hull_needs_elements_on_one_scale(tmp_path):
    """Zero points of the data: a hull with other elements is refused before anything is computed."""
    limited = str(model_folder(tmp_path, "data", fitted_elements=["Li", "Nb", "O"]))
    check_zero_points(limited, {"Nb", "O"})
    check_zero_points("chgnet", {"Nb", "O", "S", "P"})
    check_zero_points(str(model_folder(tmp_path, "base")), {"Nb", "O", "S", "P"})
    with pytest.raises(UserError, match=r"hold no P, S, so .*--zero-points base"):
        compute_phases({"Li", "P", "S"}, limited)


def test_a_campaign_is_refused_before_it_starts(tmp_path):
    from screening.campaign.prepare import prepare

    limited = str(model_folder(tmp_path, "data", fitted_elements=["Li", "Nb", "O", "Mg"]))
    with pytest.raises(UserError, match=r"hold no .*Ni.*, so"):
        prepare(
            dopants="Mg",
            x="1/12",
            preset="quick",
            config=None,
            out=tmp_path / "run",
            device="cpu",
            workers=1,
            overrides={"potential": limited},
        )
    assert not (tmp_path / "run").exists()


def test_phases_of_a_new_checkpoint_are_relaxed_once(tmp_path):
    """Shipped energies belong to other checkpoints; what is relaxed for this one is kept for the next hull."""
    folder = model_folder(tmp_path, "mine")
    checkpoint = folder / "checkpoint.pth"
    checkpoint.write_bytes(checkpoint.read_bytes() + b"\0")  # trailing bytes: the same weights, another checksum
    card = yaml.safe_load((folder / "card.yaml").read_text())
    (folder / "card.yaml").write_text(
        yaml.safe_dump(card | {"checkpoint_sha256": sha256_of(checkpoint), "corrections": "MP2020-in-model"})
    )
    first = compute_phases({"Li", "O"}, str(folder), device="cpu")
    origins = {phase.name: phase.origin for phase in first.phases}
    assert origins.pop("O2") == "reference"
    assert set(origins.values()) == {"computed"}
    built_in = {phase.name: phase for phase in compute_phases({"Li", "O"}, "chgnet", device="cpu").phases}
    for phase in first.phases:
        assert phase.energy_per_atom == pytest.approx(built_in[phase.name].energy_per_atom, abs=2e-4)
    again = compute_phases({"Li", "O"}, str(folder), device="cpu")
    assert [p.energy_per_atom for p in again.phases] == pytest.approx(
        [p.energy_per_atom for p in first.phases], abs=1e-6
    )
