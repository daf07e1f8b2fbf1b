"""A screen: everything is checked, the plan can be looked at, then it is computed, ranked and written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening.defaults import DEVICE
from screening.door.given import checked, lasting, refuse_in_starting_process, said
from screening.door.keywords import takes
from screening.door.typed import Names, Numbers, PathLike, as_path, as_text, comma_separated, typed_numbers
from screening.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from screening.campaign.estimate import Estimate
    from screening.campaign.load import StoredRun
    from screening.campaign.overall import CampaignProgress
    from screening.campaign.ranking.rows import Ranking
    from screening.campaign.request import Campaign
    from screening.chemistry.candidate import Candidate
    from screening.chemistry.grid import Skipped


@dataclass(frozen=True)
class ScreenOptions:
    """What `screen` takes; its docstring says what each means."""

    dopants: Names
    x: Numbers = "0-0.25"
    _: KW_ONLY
    site: str | None = None
    host: str | None = None
    cathode: str | None = None
    soc: Numbers | None = None
    potential: PathLike | None = None
    preset: str | None = None
    phases: PathLike | None = None
    seed: int | None = None
    config: PathLike | None = None
    device: str = DEVICE
    workers: int | None = None
    out: PathLike | None = None
    dry_run: bool = False
    on_progress: Callable[[CampaignProgress], None] | None = None


class ScreenResult:
    """A checked request and, once it was computed, its ranking.

    Attributes
    ----------
    campaign
        The request: settings, candidates, folder, device and workers.
    """

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign
        self._ranking: Ranking | None = None

    def __repr__(self) -> str:
        done = "planned" if self._ranking is None else "ranked"
        return f"<screen of {len(self.candidates)} candidates in {self.folder}, {done}>"

    @property
    def folder(self) -> Path:
        """Where everything is written; a folder of the same request is continued."""
        return self.campaign.out

    @property
    def candidates(self) -> Sequence[Candidate]:
        """What is computed, the pristine host first."""
        return self.campaign.grid.candidates

    @property
    def skipped(self) -> Sequence[Skipped]:
        """What was asked for and cannot be had, with the reasons."""
        return self.campaign.grid.skipped

    @property
    def cost(self) -> Estimate:
        """Steps, force calls and hours, estimated; the interface is built for it, which takes seconds."""
        return self.campaign.cost

    @property
    def ranking(self) -> Ranking:
        """The ranking.

        Raises
        ------
        UserError
            When nothing was computed yet.
        """
        if self._ranking is None:
            raise UserError("this screen was only planned (dry_run); call its compute() for a ranking.")
        return self._ranking

    def compute(self, on_progress: Callable[[CampaignProgress], None] | None = None) -> ScreenResult:
        """Compute, or go on where it was; `on_progress` hears of it now and then.

        Raises
        ------
        UserError
            When the folder is in use, or its store is damaged.
        """
        from screening.campaign.execute import execute

        refuse_in_starting_process()
        with said():
            self._ranking = execute(self.campaign, on_progress)
        return self

    def load(self) -> StoredRun:
        """The run as it lies on disk, with its records and structures."""
        from screening.door.load import load_run

        return load_run(self)


@checked()
@takes(ScreenOptions)
def screen(options: ScreenOptions) -> ScreenResult:
    """Screen dopants: relax, compute adhesion, barrier and stability, rank; the same as `screen run`.

    Interrupted (the stop button, Ctrl-C) it has lost nothing: the same call goes on where it was. A folder that is
    named by the day is another one tomorrow; give `out` to go on then.

    Parameters
    ----------
    dopants
        ``"Mg,Zr,Ta"`` or a list; ``"Zr4+"`` picks a charge, ``"Mg:Ta=2:1"`` dopes both.
    x
        M per NbO3: a range as text, ``"0-0.25"``, a number, or a list.
    site
        ``"Li"``, ``"Nb"`` or ``"auto"``.
    host, cathode
        Names of crystals; ``"LiNbO3:congruent"`` adds Nb_Li + 4 V_Li.
    soc
        Li per cathode formula unit: a list of numbers, or text such as ``"1,1/2,0"``.
    potential
        See `load_potential`.
    preset
        ``"quick"``, ``"standard"`` or ``"accurate"``.
    phases
        Competing phases: ``"listed"``, ``"mp"`` or a pymatgen JSON file.
    seed
        Of every random choice.
    config
        YAML file with any settings; what is given here wins.
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    workers
        Engine processes on CPU; one per core when None.
    out
        Folder of the run; ``runs/<date>-<dopants>`` when None.
    dry_run
        Check and plan only: the result has candidates, skipped ones and cost, and `compute()` goes on from there.
    on_progress
        Called now and then while it computes; nothing is shown without it.

    Returns
    -------
    ScreenResult
        With `ranking` and `folder`.

    Raises
    ------
    UserError
        For every kind of bad input, named by the option of the command line, before anything is written.
    CandidateFailed
        Something that every candidate needs could not be computed.
    """
    from screening.campaign.prepare import prepare
    from screening.process.threads import limit_threads

    if not options.dry_run:
        refuse_in_starting_process()
    limit_threads()
    campaign = prepare(
        dopants=comma_separated(options.dopants),
        x=typed_numbers(options.x, "x"),
        preset=options.preset,
        config=as_path(options.config),
        out=as_path(options.out),
        device=options.device,
        workers=options.workers,
        overrides=overrides(options),
    )
    result = ScreenResult(replace(campaign, out=lasting(campaign.out)))
    return result if options.dry_run else result.compute(options.on_progress)


@takes(ScreenOptions)
def check_names(options: ScreenOptions) -> None:
    """Refuse settings and a potential that are not there, by what is imported in no time.

    Raises
    ------
    UserError
        As `load_settings` and `check_name`.
    """
    from screening.config import load_settings
    from screening.potentials.registry import check_name

    check_name(load_settings(options.preset, as_path(options.config), overrides(options)).potential)


def overrides(options: ScreenOptions) -> dict[str, Any]:
    """Settings that were named one by one, in the layout of the configuration; None means not named.

    Raises
    ------
    UserError
        For a variant of a host that there is not, or states of charge that are no numbers.
    """
    from screening.config import parse_soc

    given = {name: getattr(options, name) for name in ("site", "cathode", "seed")} | {
        "potential": as_text(options.potential)
    }
    named: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if options.host is not None:
        crystal, _, variant = options.host.partition(":")
        if variant not in ("", "congruent"):
            raise UserError(f"there is no variant {variant!r} of a host; write {crystal} or {crystal}:congruent.")
        named |= {"host": crystal, "congruent": variant == "congruent"}
    if options.phases is not None:
        named["stability"] = {"phases": as_text(options.phases)}
    if options.soc is not None:
        named["adhesion"] = {"soc": parse_soc(typed_numbers(options.soc, "soc"))}
    return named
