"""Fidelities: one text on disk, taken apart and put together without loss."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.fidelity import Fidelity, same_scale, scales_of

TESTS = Path(__file__).parent

WORD = st.from_regex(r"[a-z0-9][a-z0-9_.-]*", fullmatch=True)
POTENTIALS = st.builds("".join, st.lists(st.one_of(WORD, st.sampled_from([":PBE", "/", "models/"])), min_size=1))
PROGRAMS = st.from_regex(r"[a-z]+", fullmatch=True)
FUNCTIONALS = st.from_regex(r"[a-z0-9]+(-[a-z0-9]+)?", fullmatch=True)
SETTINGS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9+._:-]*", fullmatch=True)
FIDELITIES = st.one_of(
    st.builds(Fidelity, potential=POTENTIALS),
    st.builds(Fidelity, potential=POTENTIALS, program=st.just("vasp")),
    st.builds(Fidelity, program=PROGRAMS, functional=FUNCTIONALS, with_u=st.booleans(), settings=SETTINGS),
)


@given(FIDELITIES)
def test_what_is_written_is_read_again(fidelity):
    assert Fidelity.parse(str(fidelity)) == fidelity
    assert not (fidelity.is_potential and fidelity.is_dft)


@given(st.one_of(st.text(), st.builds("{}:{}".format, st.sampled_from(["mlip", "dft", "pbe"]), st.text())))
def test_no_text_is_lost_whatever_it_says(text):
    assert str(Fidelity.parse(text)) == text


@given(FIDELITIES, FIDELITIES)
def test_a_scale_leaves_out_the_u_of_the_structure_and_nothing_else(one, other):
    assert same_scale(str(one), str(one.scale))
    assert same_scale(str(one), str(other)) == (str(one).replace("+u:", ":", 1) == str(other).replace("+u:", ":", 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mlip:chgnet", Fidelity(potential="chgnet")),
        ("mlip:models/loop", Fidelity(potential="models/loop")),
        ("mlip:sevennet-mf-0:PBE", Fidelity(potential="sevennet-mf-0:PBE")),
        ("mlip:matgl:TensorNet-PES", Fidelity(potential="matgl:TensorNet-PES")),
        ("mlip:chgnet-via-vasp", Fidelity(potential="chgnet", program="vasp")),
        (
            "dft:vasp-pbe+u:kim2026",
            Fidelity(program="vasp", functional="pbe", with_u=True, settings="kim2026"),
        ),
        ("dft:gpaw-pbe:gpaw-pbe", Fidelity(program="gpaw", functional="pbe", settings="gpaw-pbe")),
        ("dft:extxyz-unknown:mp", Fidelity(program="extxyz", functional="unknown", settings="mp")),
        ("r2scan", Fidelity(other="r2scan")),
        ("dft:none", Fidelity(other="dft:none")),
        ("", Fidelity()),
    ],
)
def test_the_forms_on_disk(text, expected):
    assert Fidelity.parse(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "name", ["campaign/ranking/data/one-fidelity.json", "validation/records/data/validated-run.json"]
)
def test_every_fidelity_of_an_old_store_is_known(name):
    found = set(re.findall(r'"(?:mlip_)?fidelity": *"([^"]+)"', (TESTS / name).read_text()))
    assert found
    for text in found:
        assert str(Fidelity.parse(text)) == text
        assert not Fidelity.parse(text).other


def test_only_dft_counts_as_dft():
    """What a potential computed in VASP's place is neither DFT nor the potential's own value."""
    kinds = {
        "mlip:chgnet": (True, False),
        "mlip:chgnet-via-vasp": (False, False),
        "dft:vasp-pbe:kim2026": (False, True),
        "pbe": (False, False),
        "": (False, False),
    }
    for text, expected in kinds.items():
        found = Fidelity.parse(text)
        assert (found.is_potential, found.is_dft) == expected, text


def test_only_vasp_with_the_settings_mp_is_on_the_scale_of_the_materials_project():
    assert Fidelity.parse("dft:vasp-pbe+u:mp").is_materials_project
    assert Fidelity.parse("dft:vasp-pbe:mp").is_materials_project
    for other in ("dft:gpaw-pbe:mp", "dft:vasp-pbe+u:kim2026", "mlip:mp", "mlip:chgnet-via-vasp", "mp"):
        assert not Fidelity.parse(other).is_materials_project


def test_a_label_names_a_model():
    assert Fidelity.parse("dft:vasp-pbe+u:kim2026").label == "vasp-pbe+u:kim2026"
    assert Fidelity.parse("mlip:chgnet-via-vasp").label == "chgnet-via-vasp"
    assert Fidelity.parse("r2scan").label == "r2scan"


def test_scales():
    assert same_scale("dft:vasp-pbe:kim2026", "dft:vasp-pbe+u:kim2026")
    assert not same_scale("dft:vasp-pbe+u:kim2026", "dft:vasp-pbe+u:mp")
    assert not same_scale("dft:gpaw-pbe:kim2026", "dft:vasp-pbe:kim2026")
    found = scales_of(["dft:vasp-pbe:kim2026", "dft:gpaw-pbe:g", "dft:vasp-pbe+u:kim2026"])
    assert sorted(found.values()) == ["dft:gpaw-pbe:g", "dft:vasp-pbe+u:kim2026"]
