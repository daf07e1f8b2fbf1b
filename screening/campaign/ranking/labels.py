"""How a candidate and a state of charge are written: formulas, dopant labels and labels of y."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from screening.chemistry.candidate import Candidate, Substitution
from screening.chemistry.formula import amount_text
from screening.chemistry.hosts import host_facts


def y_label(y: float) -> str:
    """State of charge in a column name: 1 -> ``y1``, 1/3 -> ``y0.333``, 2/3 -> ``y0.667``, 0 -> ``y0``."""
    return f"y{_number(y)}"


def formula(candidate: Candidate) -> str:
    """Formula per formula unit, sites with more than one species in brackets: ``[Li5/6Mg1/12]NbO3``.

    Li interstitials are counted with the Li site (``Li5/4``), vacancies by the missing amount. Amounts are exact, as
    fractions, so that what is printed can be typed back (`chemistry.formula.read_formula`).
    """
    host = host_facts(candidate.host).amounts
    defects = candidate.defects
    parts = []
    for symbol, per_unit in host.items():
        on_site = [s for s in defects.substitutions if s.site == symbol]
        own = Fraction(per_unit * candidate.n_fu) - sum(s.count for s in on_site)
        if symbol == "Li":
            own += defects.li_interstitials - defects.li_vacancies
        if symbol == "O":
            own -= defects.o_vacancies
        species = [(symbol, own), *((s.element, Fraction(s.count)) for s in on_site)]
        written = [amount_text(name, amount / candidate.n_fu) for name, amount in species if amount > 0]
        text = "".join(written)
        parts.append(f"[{text}]" if len(written) > 1 else text)
    return "".join(parts)


def dopant_label(candidate: Candidate) -> str:
    """Dopants as the user types them: ``Mg``, ``Mg:Ta``, ``Mg:Ta=2:1``; empty for the pristine host."""
    totals = {e: sum(s.count for s in group) for e, group in _by_element(candidate).items()}
    text = ":".join(totals)
    if len(set(totals.values())) > 1:
        text += "=" + ":".join(str(n) for n in totals.values())
    return text


def site_label(candidate: Candidate) -> str:
    """Site of each dopant: ``Li``; ``Li:Nb`` when dopants differ; ``Li+Nb`` when one sits on two."""
    sites = ["+".join(_unique(s.site for s in group)) for group in _by_element(candidate).values()]
    return sites[0] if len(set(sites)) == 1 else ":".join(sites)


def _by_element(candidate: Candidate) -> dict[str, list[Substitution]]:
    groups: dict[str, list[Substitution]] = {}
    for substitution in candidate.dopants:
        groups.setdefault(substitution.element, []).append(substitution)
    return groups


def _unique(items: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))


def _number(value: float) -> str:
    return format(abs(round(value, 3)), "g")
