"""What is missing is said before a run, without loading a network: name, package, folder, module, factory."""

import sys

import pytest
import yaml
from received import write_card

from screening.errors import UserError
from screening.potentials import registry
from screening.potentials.families.table import BUILT_IN
from screening.potentials.finetuned import read_network
from screening.potentials.registry import check_name, load_potential
from screening.potentials.weights import write_weights


def without_package(monkeypatch, package):
    """The import system as it is on a machine without the package."""
    find = registry.find_spec
    for module in ("screening.potentials.registry", "screening.potentials.networks.matgl"):
        __import__(module)
        monkeypatch.setattr(f"{module}.find_spec", lambda name: None if name == package else find(name))


@pytest.mark.parametrize("name", [*BUILT_IN, "ase:ase.calculators.emt:EMT"])
def test_what_is_there_passes(name):
    check_name(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("matgl:./absent", "there is no such folder"),
        ("matgl:", "write matgl:NAME or matgl:PATH"),
        ("models/absent", r"it holds no card\.yaml"),
        ("ase:ase.calculators.emt", "write ase:package.module:factory"),
        ("ase:no.such.module:factory", "cannot be imported"),
        ("ase:ase.calculators.emt:Emt", "cannot be imported"),
        ("ase:ase.calculators.emt:parameters", "is not callable"),
        ("matgll:x", "nearest valid name"),
    ],
)
def test_what_is_missing_is_said(name, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=reason) as error:
        check_name(name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("package", "name", "reason"),
    [
        ("matgl", "matgl:TensorNet", r"matgl is not installed; install coatscreen\[matgl\]"),
        ("chgnet", "chgnet-r2scan", "the package chgnet of the potential chgnet-r2scan is not installed"),
        ("sevenn", "sevennet-mf-0:PBE", "the package sevenn of the potential sevennet-mf-0:PBE is not installed"),
    ],
)
def test_a_package_that_is_not_installed(package, name, reason, monkeypatch):
    without_package(monkeypatch, package)
    with pytest.raises(UserError, match=reason):
        check_name(name)


def test_a_folder_whose_package_is_not_installed(tmp_path, monkeypatch):
    write_weights(read_network("chgnet"), tmp_path / "model.safetensors")
    write_card(tmp_path, "chgnet", "model.safetensors")
    check_name(str(tmp_path))
    without_package(monkeypatch, "chgnet")
    with pytest.raises(UserError, match="the package chgnet"):
        check_name(str(tmp_path))


def test_a_hub_out_of_reach(monkeypatch):
    """matgl's models come from the hub; without network a sentence says so before anything is computed."""
    pytest.importorskip("matgl")

    def unreachable(name, *, local_files_only=False):
        raise FileNotFoundError("not in the cache") if local_files_only else OSError("Name or service not known")

    monkeypatch.setattr("screening.potentials.networks.matgl._download", unreachable)
    with pytest.raises(UserError, match=r"Name or service not known.*where the hub is out of reach, give the path"):
        check_name("matgl:TensorNet-PES-MatPES-PBE-2025.2")


def test_a_correction_is_as_good_as_its_base(tmp_path):
    (tmp_path / "card.yaml").write_text(yaml.safe_dump({"kind": "softening", "base": "matgl:./absent"}))
    with pytest.raises(UserError, match="there is no such folder"):
        check_name(str(tmp_path))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise SystemError('no licence')\ndef make(): ...", r"cannot be imported \(no licence\)"),
        ("def make(x): ...", r"cannot be made \(make\(\) missing 1 required positional argument: 'x'\)"),
        ("def make(): raise OSError('no weights')", r"cannot be made \(no weights\)"),
        ("def make(): return 3", "gave a int; name a factory of ASE calculators"),
    ],
)
def test_factories_that_fail_are_one_sentence(source, reason, tmp_path, monkeypatch):
    (tmp_path / "my_potential.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_potential", raising=False)
    for step in (check_name, load_potential):
        with pytest.raises(UserError, match=reason) as error:
            step("ase:my_potential:make")
        assert "\n" not in str(error.value)
    monkeypatch.delitem(sys.modules, "my_potential", raising=False)


def test_a_factory_that_was_checked_is_not_called_again(tmp_path, monkeypatch):
    (tmp_path / "counted.py").write_text(
        "from ase.calculators.emt import EMT\ncalls = []\ndef make():\n    calls.append(1)\n    return EMT()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    check_name("ase:counted:make")
    load_potential("ase:counted:make", "auto", self_check=False)
    assert len(sys.modules["counted"].calls) == 1


@pytest.mark.parametrize("potential", ["models/absent", "ase:no.such.module:make", "matgl:./absent"])
@pytest.mark.parametrize("more", [["--dry-run"], []])
def test_the_command_says_it_before_it_writes(potential, more, tmp_path, monkeypatch, capsys):
    from screening.cli import app

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["screen", "--dopants", "Mg", "--x", "1/12", "--potential", potential, *more])
    with pytest.raises(SystemExit) as stopped:
        app.main()
    said = capsys.readouterr().err.strip()
    assert stopped.value.code == 2
    assert said.startswith("screen: ")
    assert "\n" not in said
    assert not list(tmp_path.iterdir())
