"""A run's ranking again, with other weights, thresholds or DFT values, without computing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from screening.door.given import checked
from screening.door.load import AnyRun, load_run
from screening.door.typed import PathLike, as_path
from screening.errors import UserError

if TYPE_CHECKING:
    from screening.campaign.load import StoredRun
    from screening.campaign.ranking.rows import Ranking
    from screening.quantities.settings import RankingSettings


OPTIONS = ("weights", "fidelity", "correction", "write")
"""Parameters of `rank` that are no thresholds."""


@checked()
def rank(
    run: AnyRun,
    *,
    weights: str | Mapping[str, float] | None = None,
    fidelity: str | None = None,
    correction: PathLike | None = None,
    write: bool = False,
    **thresholds: float | None,
) -> Ranking:
    """Rank a run again from its stored records; the same as `screen rank`.

    Parameters
    ----------
    run
        See `load_run`; a run that is loaded already is not read again.
    weights
        ``{"work_of_adhesion": 2}``, or that as text; 0 leaves an objective out, the others keep the run's.
    fidelity
        ``"dft:..."``: which DFT values replace the potential's, where the store holds several kinds; ``"mlip:..."``:
        the potential's values alone.
    correction
        Folder of a softening correction, applied where there is no DFT value.
    write
        Rewrite ranking.csv and ranking.json of the run, and update MLflow.
    **thresholds
        `max_e_above_hull` (eV/atom), `min_work_of_adhesion` (J/m2, at the worst state of charge) and the other fields
        of `RankingSettings`: who is beyond is not ranked.

    Raises
    ------
    UserError
        For a run, weights, thresholds, a fidelity or a correction that cannot be used.
    """
    from screening.campaign.rerank import rerank, write_again

    stored = load_run(run)
    settings = ranking_settings(stored.settings.ranking, weights, thresholds)
    ranking = rerank(stored, settings, fidelity=fidelity, correction=as_path(correction))
    if write:
        write_again(stored, ranking)
    return ranking


def ranking_document(run: StoredRun, ranking: Ranking) -> dict[str, Any]:
    """What ranking.json of a run would hold with this ranking."""
    from screening.campaign.outputs import ranking_document as document

    return document(ranking, settings=run.settings, skipped=run.skipped)


def ranking_settings(
    base: RankingSettings, weights: str | Mapping[str, float] | None, thresholds: Mapping[str, float | None]
) -> RankingSettings:
    """The run's ranking settings with what was asked for in their place.

    Raises
    ------
    UserError
        For weights that are not ``name=number``, an unknown objective or threshold, or a threshold that is no number
        or has the wrong sign.
    """
    from pydantic import ValidationError

    from screening.names import nearest
    from screening.quantities.settings import RankingSettings, check_threshold
    from screening.typed.explain import explain

    known = [name for name in RankingSettings.model_fields if name != "weights"]
    given = {name: value for name, value in thresholds.items() if value is not None}
    for name in thresholds:
        if name not in known:
            raise UserError(f"there is no threshold or option {name!r}; {nearest(name, [*known, *OPTIONS])}.")
    merged = dict(base.weights) | (parse_weights(weights or "") if isinstance(weights, str | None) else dict(weights))
    named = {"weights": "--weights"} | {name: f"--{name.replace('_', '-')}" for name in given}
    try:
        settings = RankingSettings(**(base.model_dump() | {"weights": merged} | given))
    except ValidationError as error:
        raise UserError(explain(error, RankingSettings, options=named)) from error
    for name in given:
        check_threshold(name, getattr(settings, name), named[name])
    return settings


def parse_weights(text: str) -> dict[str, float]:
    """``work_of_adhesion=2,e_above_hull=0`` as a mapping; `quantities.settings.check_weights` says what numbers may be.

    Raises
    ------
    UserError
        When the text has another form, or names an objective twice or one that there is not.
    """
    from screening.campaign.ranking.score import active_weights
    from screening.typed.values import check_decimal_comma, plain_text

    typed = plain_text(text)
    check_decimal_comma(typed, "--weights", "weights", every_pair=True)
    weights: dict[str, float] = {}
    for part in filter(None, (piece.strip() for piece in typed.split(","))):
        name, found, number = (piece.strip() for piece in part.partition("="))
        if name in weights:
            raise UserError(f"the weight of {name} is given twice in --weights {text!r}; give it once.")
        try:
            weights[name] = float(number) if found else float("nan")
        except ValueError:
            weights[name] = float("nan")
        if weights[name] != weights[name]:
            raise UserError(f"cannot read the weight '{part}'; write it as work_of_adhesion=2.")
    active_weights(weights)
    return weights
