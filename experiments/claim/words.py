"""What a study of the claim says, in sentences; assumptions worth a name."""

import math
from collections.abc import Mapping
from typing import Any

import mcengine as mc
from claim.books import CLAIMED, READINGS, Assumptions
from mcengine import report
from mcengine.pricing import SurfacePricer
from mcengine.statistics import Estimate

SURE = 2.33
"""Standard errors: 99 % confidence, one-sided."""
INSIDE = "inside the floor"


def scenarios(given: Assumptions) -> dict[str, Assumptions]:
    """Assumptions worth a name."""
    vix = given.variance * float(SurfacePricer().vix_over_atm) ** 2
    return {
        "as stated": given,
        "as stated, no cost": mc.replace(given, cost=0.0),
        "as stated, twice the cost": mc.replace(given, cost=2.0),
        "as stated, steeper skew": mc.replace(given, skew=1.5),
        "as stated, equity 3 % a year less": mc.replace(given, drift=-0.03),
        "as stated, leverage 1.5": mc.replace(given, leverage=1.5),
        "as stated, leverage 3": mc.replace(given, leverage=3.0),
        "all strikes at VIX": mc.replace(given, variance=vix, event=vix, skew=0.0),
        "fair": Assumptions(),
        "fair, no cost": Assumptions(cost=0.0),
        "fair at the money, skew": Assumptions(skew=1.0),
        "options at .8, events at .6": Assumptions(0.8, 0.6),
    }


def where_it_lies(book: str, lines: Any, slope: Mapping[str, float]) -> list[str]:
    """Sentences on the line of the claim."""
    each = 100.0 * slope["skew"], 100.0 * slope["cost"], 10.0 * slope["variance"], 10.0 * slope["event"]
    out = [
        f"{book}: {100.0 * slope['fair']:+.2f} % at fair prices without costs; {each[2]:+.2f} for .1 more of variance premium, "
        f"{each[3]:+.2f} for .1 more of event premium, {each[0]:+.2f} for the skew, {each[1]:+.2f} for costs (least squares, R2 {slope['r2']:.3f})"
    ]
    cells = [
        str(one) if isinstance(one, Estimate) else f"no: {100.0 * most.value:+.2f} %"
        for one, most in zip(lines["variance"], lines["at_the_lowest"], strict=True)
    ]
    places = lines.assign(cell=cells).pivot(index=["cost", "skew"], columns="event", values="cell")
    out.append(f"  the variance premium at which it is {100.0 * CLAIMED:+g} %, by the events' (no: what it is at the lowest on the map)")
    return [*out, places.to_string() + "\n"]


def verdicts(table: Any, floor: float) -> list[str]:
    """What the table says of the claim, a line each. What is said to be more, less or inside is so by ``SURE`` standard errors."""
    out, mix = [f"(said of what is known with 99 % confidence, one-sided: {SURE} standard errors)"], table.loc["unhedged"]
    for name in READINGS:
        row = table.loc[name]
        gain = row["at_equal_exposure"]
        far = gain.z(CLAIMED)
        says = "holds" if far > SURE else "does not hold" if far < -SURE else "is not decided by these paths"
        by = f"{100.0 * (CLAIMED - gain.value):.2f} points short, " if far < 0.0 else ""
        errors = f"{abs(far):.0f} standard errors" if gain.error > 0.0 else "the same on every path"
        out.append(
            f"{name}: {percent(gain)} a year at equal exposure ({percent(row['to_unhedged'])} to A, {percent(row['to_static_put'])} to B): the "
            f"claimed {100.0 * CLAIMED:+g} % {says}, {by}{errors}."
        )
        lies, own = _side(row["p20_year"], floor), f"{name}: the 20th percentile of a year is {row['p20_year'].value:.3f}"
        also = f"the unhedged mix's is {mix['p20_year'].value:.3f}, {_side(mix['p20_year'], floor)}"
        slack = ": the percentile is slack" if lies == _side(mix["p20_year"], floor) == INSIDE else ""
        out.append(
            f"{own}, {lies} {floor:g}; {also}{slack}. P(any day below {floor:g}) is {percent(row['breach_any_day'])}, "
            f"of the unhedged mix {percent(mix['breach_any_day'])}."
        )
    above = [name for name, row in table.iterrows() if isinstance(row["to_unhedged"], Estimate) and row["to_unhedged"].z(CLAIMED) > SURE]
    equal = [name for name, row in table.iterrows() if row["at_equal_exposure"].z(CLAIMED) > SURE]
    out.append(f"Above A by {100.0 * CLAIMED:g} % a year: {', '.join(above) or 'none'}; at equal exposure: {', '.join(equal) or 'none'}.")
    for name in READINGS:
        better = [
            other
            for other in table.index
            if other not in READINGS
            and table.loc[other, f"to_{name}"].z(0.0) > SURE
            and _minus(table.loc[other, "breach_any_day"], table.loc[name, "breach_any_day"]).z(0.0) < -SURE
        ]
        out.append(f"Books that return more than {name} at a lower P(any day below {floor:g}): {', '.join(better) or 'none'}.")
    return out


def _side(one: Estimate, floor: float) -> str:
    """Where a percentile lies."""
    far = one.z(floor)
    return INSIDE if far > SURE else "below the floor" if far < -SURE else "not told apart from the floor"


def _minus(one: Estimate, other: Estimate) -> Estimate:
    """Of the same paths, which go up and down together: the error of independent ones is no smaller."""
    return Estimate(one.value - other.value, math.hypot(one.error, other.error))


def percent(one: Any) -> str:
    """Of an Estimate of a fraction; nothing else is shown."""
    return report.cell(one.scaled(100.0)) + " %" if isinstance(one, Estimate) else ""


def shown(table: Any) -> str:
    """A table of Estimates of fractions, books across."""
    return str(
        table.map(lambda one: report.cell(one.scaled(100.0)) if isinstance(one, Estimate) else "").T.rename(index=lambda key: f"{key}, %").to_string()
    )


def told(given: Assumptions) -> str:
    """Assumptions in a line."""
    return ", ".join(f"{name} {value:.3g}" for name, value in vars(given).items())
