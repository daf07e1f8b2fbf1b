"""Put what finished jobs say into the record store of the run that asked for them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from screening.engine.records import Record
from screening.validation.jobs import Manifest
from screening.validation.library_files import Accepted

STORE, SUMMARY = "store.db", "summary.yaml"


def store_records(manifest: Manifest, accepted: Mapping[str, Sequence[Accepted]], notes: list[tuple[str, str]]) -> int:
    """Write the records of a manifest's finished jobs; one that says the same as before is left alone.

    Parameters
    ----------
    accepted
        Job name to its calculations, for all jobs that are finished.
    notes
        Gets a line when the run does not exist any more.

    Returns
    -------
    Number of records that are new or changed.
    """
    from screening.engine.store import RecordStore

    location = _store_of(manifest.run)
    if location is None:
        notes.append((str(manifest.run), "the run of this validation has no store, so that no records are written"))
        return 0
    if not accepted:
        return 0
    store = RecordStore(location)
    before = store.records()
    made = band_gap_records(manifest, accepted)
    # a later package of the same part: this module is useful before it exists
    from screening.validation.dft_records import records_from

    finished = {name: [item.calculation for item in items] for name, items in accepted.items()}
    made += records_from(manifest, finished, before, manifest.settings)
    known = {_content(record) for record in before}
    new = [record for record in made if _content(record) not in known]
    for record in new:
        store.put_record(record)
    return len(new)


def band_gap_records(manifest: Manifest, accepted: Mapping[str, Sequence[Accepted]]) -> list[Record]:
    """A record of the band gap (eV) of every candidate's bulk whose files say it."""
    records = []
    for job in manifest.jobs:
        items = accepted.get(job["name"], ())
        if job["role"] != "bulk" or job["candidate"] is None or not items:
            continue
        item = items[-1]
        gap = item.calculation.band_gap
        if gap is None:
            continue
        source = json.dumps([job["candidate"], "band_gap", item.fidelity, item.id])
        records.append(
            Record(
                candidate=job["candidate"],
                property="band_gap",
                value=float(gap),
                unit="eV",
                fidelity=item.fidelity,
                converged=item.calculation.converged,
                potential=item.calculation.method.label,
                checkpoint_sha256="",
                recipe_hash=hashlib.sha256(source.encode()).hexdigest()[:24],
                structure=(item.id,),
                flags=item.flags,
                details={"job": job["name"], "functional": item.calculation.method.functional},
            )
        )
    return records


def _store_of(run: Path) -> str | Path | None:
    """Where a run keeps its records: the URL in its summary, or the file beside it; None when it is gone."""
    import yaml

    summary = run / SUMMARY
    if summary.is_file():
        url = str((yaml.safe_load(summary.read_text(encoding="utf-8")) or {}).get("store") or "")
        if "://" in url:
            return url
    return run / STORE if (run / STORE).is_file() else None


def _content(record: Record) -> str:
    """All of a record except when and with which package versions it was made."""
    data = {key: value for key, value in record.to_dict().items() if key not in ("created", "versions")}
    return json.dumps(data, sort_keys=True, default=str)
