"""Put what finished jobs say into the record store of the run that asked for them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from screening.engine.running.records import Record
from screening.engine.running.whereabouts import SUMMARY, store_location
from screening.errors import UserError
from screening.files import PARSE_ERRORS, read_received
from screening.training_data.library_files import Accepted
from screening.validation.jobs import Manifest


def store_records(manifest: Manifest, accepted: Mapping[str, Sequence[Accepted]], notes: list[tuple[str, str]]) -> int:
    """Write the records of a manifest's finished jobs; one that says the same as before is left alone.

    Parameters
    ----------
    accepted
        Job name to its calculations, for all jobs that are finished.
    notes
        Gets a line for every value that the jobs do not give yet, or when the run does not exist any more.

    Returns
    -------
    Number of records that are new or changed.
    """
    from screening.engine.running.store import RecordStore
    from screening.validation.records.records import records_from

    location = _store_of(manifest.run)
    if location is None:
        notes.append((str(manifest.run), "the run of this validation has no store, so that no records are written"))
        return 0
    if not accepted:
        return 0
    store = RecordStore(location)
    before = store.records()
    finished = {name: [item.calculation for item in items] for name, items in accepted.items()}
    made = records_from(manifest, finished, before, manifest.settings)
    notes += [(manifest.run.name, f"no DFT value: {missing}") for missing in made.missing]
    known = {_content(record) for record in before}
    new = [record for record in made if _content(record) not in known]
    for record in new:
        store.put_record(record)
    return len(new)


def _store_of(run: Path) -> str | Path | None:
    """Where a run keeps its records: the URL in its summary, or the file beside it; None when it is gone."""
    import yaml

    summary = run / SUMMARY
    stated: object = None
    if summary.is_file():
        try:
            stated = (yaml.safe_load(read_received(summary)) or {}).get("store")
        except (*PARSE_ERRORS, AttributeError) as error:
            raise UserError(f"{summary} is not the summary of a run; put a backup in its place.") from error
    location = store_location(run, stated)
    return None if isinstance(location, Path) and not location.is_file() else location


def _content(record: Record) -> str:
    """All of a record except when and with which package versions it was made."""
    data = {key: value for key, value in record.to_dict().items() if key not in ("created", "versions")}
    return json.dumps(data, sort_keys=True, default=str)
