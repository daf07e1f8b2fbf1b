"""A run without DFT is ranked to the byte as before there was any."""

import json
from pathlib import Path

import pytest

from screening.campaign.outputs import ranking_document, write_ranking
from screening.campaign.ranking.ranking import rank
from screening.campaign.summary import candidate_from_dict
from screening.engine.running.records import Record
from screening.quantities.settings import RankingSettings

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def stored():
    """Records of a real screen and the ranking.csv that the package wrote of them before DFT could be ingested."""
    data = json.loads((DATA / "one-fidelity.json").read_text())
    records = [Record.from_dict({"versions": {}, **row}) for row in data["records"]]
    return records, [candidate_from_dict(c) for c in data["candidates"]], data["soc"], data["seed"]


def test_ranking_csv_is_the_same_to_the_byte(stored, tmp_path):
    records, candidates, soc, seed = stored
    ranking = rank(records, candidates, soc, RankingSettings(), seed=seed)
    path, _ = write_ranking(tmp_path, ranking)
    assert path.read_bytes() == (DATA / "one-fidelity.csv").read_bytes()
    assert {p.name for p in tmp_path.iterdir()} == {"ranking.csv", "ranking.json"}
    assert ranking.notes == ()
    assert not {"reference", "correction", "agreement"} & set(ranking_document(ranking))


def test_naming_its_only_fidelity_changes_nothing(stored):
    records, candidates, soc, seed = stored
    one = rank(records, candidates, soc, RankingSettings(), seed=seed)
    assert rank(records, candidates, soc, RankingSettings(), seed=seed, fidelity="mlip:chgnet") == one
