"""Migration barriers from DFT energies along hops of the potential's network.

DFT is asked about one hop, the critical one, not about the whole network. The barrier counts from the ground site as
the potential's does. Where that site is no end of the hop, its distance from the nearer end is the potential's: a
difference of two minima, on which potentials are far better than on saddles.

A vacancy that was *made* (a Li taken out of a cell that needs none to be neutral) is computed neutral and at charge -1,
and charge -1 counts: what moves is Li+, which leaves V_Li'. The neutral cell has an electron hole in the O 2p states
instead, which no coating between two insulators has; the hole follows the vacancy or not as the functional's
self-interaction error will have it, and changes the barrier. In the charged cell a uniform background restores
neutrality; all images of a path have one cell and one charge, so its energy cancels to first order in the barrier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from screening.engine.running.records import Record
from screening.flags import flag
from screening.properties.migration.details import MigrationDetails
from screening.training_data.calculation import Calculation
from screening.validation.job_details import HopJobDetails
from screening.validation.jobs import said
from screening.validation.records.finished_jobs import FinishedJobs, FoundValue, NotThere, dft_record

HopSites = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class HopPath:
    """Energies along a hop, eV: both ends, the highest image, and the calculations they come from."""

    sites: HopSites
    charge: int
    ends: tuple[float, float]
    saddle: float
    used: dict[str, Calculation]


@dataclass(frozen=True, kw_only=True)
class WrittenHop:
    """A hop with bands in the manifest.

    Attributes
    ----------
    place
        Its folder; two hops may join the same sites.
    charges
        Those of its bands.
    chosen_as
        ``critical`` and ``lowest``, where the manifest says why it was written.
    """

    place: str
    sites: HopSites
    charges: tuple[int, ...]
    chosen_as: frozenset[str] = frozenset()


def written_hops(jobs: FinishedJobs, candidate: str) -> list[WrittenHop]:
    """Hops of which a band was written, in the manifest's order."""
    bands: dict[str, list[dict[str, Any]]] = {}
    for job in jobs.of(candidate, "band"):
        bands.setdefault(_place(job), []).append(job)
    return [
        WrittenHop(
            place=place,
            sites=_sites(same[0]),
            charges=tuple(int(j.get("charge", 0)) for j in same),
            chosen_as=frozenset(said(same[0], HopJobDetails).chosen_as),
        )
        for place, same in bands.items()
    ]


def barrier_record(jobs: FinishedJobs, candidate: str) -> Record:
    """``migration_barrier``: the critical hop's saddle in DFT above the ground site.

    Raises
    ------
    NotThere
        When the potential has no barrier to start from, or a job is missing or unconverged.
    """
    like = jobs.potential(candidate, "migration_barrier")
    if like is None or like.value is None:
        raise NotThere(f"the run has no migration barrier of {candidate} that tells the critical hop")
    hop = _critical(jobs, candidate, like)
    path, others = _counting_path(jobs, candidate, hop)
    sites = hop.sites
    own_details = like.said(MigrationDetails)
    ground = own_details.ground_site or ""
    shift, from_potential = _above_ground(own_details, like.value, path, ground)
    which = min((0, 1), key=lambda end: (sites[end] != ground, path.ends[end]))
    critical = own_details.critical_hop.sites if own_details.critical_hop else (None, None)
    own = own_details.barriers_between(*sites)
    return dft_record(
        jobs,
        FoundValue(
            candidate=candidate,
            property="migration_barrier",
            value=path.saddle - path.ends[which] + shift[which],
            unit="eV",
        ),
        used=path.used,
        like=like,
        mlip_value=None if own is None else own[which] + shift[which],
        flags=(
            flag("critical_hop_only"),
            *([flag("critical_hop_stand_in")] if set(critical) != set(sites) else []),
            *([flag("site_energies_mlip")] if from_potential else []),
        ),
        details={
            "hop": list(sites),
            "stands_for": list(critical),
            "ground_site": ground,
            "counted_from": sites[which],
            "end_above_ground_site": shift[which],
            "charge": path.charge,
            "forward": path.saddle - path.ends[0],
            "backward": path.saddle - path.ends[1],
            "other_charges": others,
        },
    )


def lowest_hop_record(jobs: FinishedJobs, candidate: str) -> Record:
    """``lowest_hop_barrier``: the smaller of both directions of the hop that is lowest for the potential.

    Raises
    ------
    NotThere
        When that hop was not written, or a job is missing or unconverged.
    """
    like = jobs.potential(candidate, "lowest_hop_barrier")
    if like is None or like.value is None:
        raise NotThere(f"the run has no lowest hop barrier of {candidate}")
    used = [(min(h.barriers), h) for h in like.said(MigrationDetails).hops if h.used and h.barriers is not None]
    if not used:
        raise NotThere("the run's record does not say which hop is the lowest")
    _, lowest = min(used, key=lambda pair: pair[0])
    hop = _find(written_hops(jobs, candidate), lowest.sites)
    if hop is None:
        raise NotThere(f"the lowest hop {lowest.start}-{lowest.end} was not written")
    path, others = _counting_path(jobs, candidate, hop)
    return dft_record(
        jobs,
        FoundValue(candidate=candidate, property="lowest_hop_barrier", value=path.saddle - max(path.ends), unit="eV"),
        used=path.used,
        like=like,
        mlip_value=like.value,
        details={"hop": list(hop.sites), "charge": path.charge, "other_charges": others},
    )


def _sites(job: Mapping[str, Any]) -> HopSites:
    first, second = said(job, HopJobDetails).hop
    return first, second


def _place(job: Mapping[str, Any]) -> str:
    return str(job["name"]).rpartition("/")[0]


def _find(hops: Sequence[WrittenHop], sites: HopSites) -> WrittenHop | None:
    return next((hop for hop in hops if set(hop.sites) == set(sites)), None)


def _chosen(hops: Sequence[WrittenHop], reason: str) -> WrittenHop | None:
    return next((hop for hop in hops if reason in hop.chosen_as), None)


def _critical(jobs: FinishedJobs, candidate: str, like: Record) -> WrittenHop:
    """The critical hop, or the one that was written in its place.

    Where the manifest does not say so and no band of the critical hop itself was ever run, it is the written one whose
    own barrier is nearest to the potential's value.
    """
    hops = written_hops(jobs, candidate)
    if not hops:
        raise NotThere(f"the manifest lists no band of {candidate}")
    details = like.said(MigrationDetails)
    critical = details.critical_hop
    exact = (_find(hops, critical.sites) if critical else None) or _chosen(hops, "critical")
    if exact is not None:
        return exact
    assert like.value is not None
    value = like.value

    def distance(hop: WrittenHop) -> float:
        own = details.barriers_between(*hop.sites)
        return float("inf") if own is None else abs(max(own) - value)

    return min(hops, key=distance)


def _counting_path(jobs: FinishedJobs, candidate: str, hop: WrittenHop) -> tuple[HopPath, list[dict[str, Any]]]:
    """The path whose charge counts, and what the other charges say (for the record's details)."""
    charges = hop.charges
    counting = -1 if -1 in charges else 0 if 0 in charges else charges[0]
    path = _path(jobs, candidate, hop, counting)
    others: list[dict[str, Any]] = []
    for charge in charges:
        if charge == counting:
            continue
        try:
            other = _path(jobs, candidate, hop, charge)
        except NotThere as reason:
            others.append({"charge": charge, "missing": str(reason)})
        else:
            forward, backward = (other.saddle - end for end in other.ends)
            others.append({"charge": charge, "forward": forward, "backward": backward})
    return path, others


def _path(jobs: FinishedJobs, candidate: str, hop: WrittenHop, charge: int) -> HopPath:
    """Energies of a hop.

    Single points carry their own end points: ends that DFT relaxed would lie on another footing than a saddle that it
    did not. A relaxed band takes the end points that were relaxed for it.
    """

    def mine(role: str) -> list[dict[str, Any]]:
        return [j for j in jobs.of(candidate, role) if _place(j) == hop.place and int(j.get("charge", 0)) == charge]

    job = mine("band")[0]
    images = jobs.all_of(job)
    used = {f"{job['name']}#{i:02d}": image for i, image in enumerate(images)}
    if job.get("relax", "none") == "none" and len(images) >= 3:
        ends = (images[0].energy, images[-1].energy)
        saddle = max(image.energy for image in images[1:-1])
    else:
        sides = {said(j, HopJobDetails).side: j for j in mine("end")}
        if lacking := [side for side in ("a", "b") if side not in sides]:
            raise NotThere(f"the manifest lists no end point {lacking[0]} of {hop.place} at charge {charge}")
        first, last = jobs.one(sides["a"]), jobs.one(sides["b"])
        used |= {sides["a"]["name"]: first, sides["b"]["name"]: last}
        ends = (first.energy, last.energy)
        saddle = max(image.energy for image in images)
    if saddle <= max(ends):
        raise NotThere(f"no image of {job['name']} lies above both end points")
    return HopPath(sites=hop.sites, charge=charge, ends=ends, saddle=saddle, used=used)


def _above_ground(own: MigrationDetails, value: float, path: HopPath, ground: str) -> tuple[tuple[float, float], bool]:
    """How far both ends lie above the ground site (0 for the ground site itself), and whether the potential says so.

    Parameters
    ----------
    own, value
        Details and value (eV) of the potential's record.
    """
    if ground in path.sites:
        return (0.0, 0.0), False
    known = own.site_energies
    if ground in known and all(site in known for site in path.sites):
        first, second = (known[site] - known[ground] for site in path.sites)
        return (first, second), True
    barriers = own.barriers_between(*path.sites)
    if barriers is None:
        raise NotThere(f"the run does not say how far the hop {path.sites[0]}-{path.sites[1]} lies above site {ground}")
    # the ground site was not relaxed itself (it equals one that was): its energy follows from the potential's barrier
    return (value - barriers[0], value - barriers[1]), True
