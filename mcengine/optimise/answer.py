"""What a fit says: the numbers, whether what was wished for holds and how sure that is, what each constraint costs."""

from dataclasses import dataclass, field
from typing import Any

from mcengine._model import parameters
from mcengine.engine import Study, metric
from mcengine.objective import Wish
from mcengine.optimise.condition import ROUNDING, Condition, Verdict
from mcengine.optimise.numbers import one_by_one
from mcengine.statistics import Estimate


@dataclass(frozen=True)
class Term:
    """One constraint of the answer.

    Args:
        condition: The constraint, in its market.
        verdict: On unseen paths.
        price: Goal that one unit more of the limit gains, or one unit less costs.
    """

    condition: Condition
    verdict: Verdict
    price: float

    @property
    def name(self) -> str:
        """Of the figure and the market."""
        return self.condition.name

    @property
    def margin(self) -> float:
        """From the value to the limit, positive inside."""
        return self.condition.constraint.sign * (self.verdict.estimate.value - self.condition.limit)

    @property
    def seen(self) -> bool:
        """Whether its paths are the windows of a history, all of which the fit has seen: then nothing is known of others."""
        return self.condition.sampling.kind == "windows"

    @property
    def holds(self) -> bool:
        """Whether it keeps its limit with its confidence on unseen paths; of windows, whether those fitted to keep it."""
        return self.margin >= -ROUNDING * self.condition.unit if self.seen else self.verdict.holds

    @property
    def binds(self) -> bool:
        """Whether the limit is in the way: the goal would gain by a looser one, or it is broken."""
        return self.price > 0.0 or self.margin < 0.0


@dataclass(frozen=True)
class Fit:
    """A fitted study, what holds of it, and what happened on the way.

    Args:
        study: With the fitted numbers.
        before: The study it started from.
        names: Of the fitted numbers.
        wish: What was asked.
        rows: Of each evaluation or step.
        goal: On unseen paths.
        terms: Of each constraint.
        floor_price: Goal that one unit more of the wish's floor costs, the rule's floor as it is.
        ended: "optimal", "infeasible", "standstill" or "evaluations"; of a descent "steps".
        idle: Numbers whose gradient was exactly zero.
        checked: By how much a search without derivatives found the goal better; None where none was asked.
        lost: By how much the goal was better at the start on the paths of ``goal``; None where it did not seem to be, or a limit did not hold there.
        paths: Of each evaluation or step.
        timings: Seconds, by name.
    """

    study: Study
    before: Study
    names: tuple[str, ...]
    wish: Wish
    rows: list[dict[str, Any]]
    goal: Estimate
    terms: tuple[Term, ...]
    floor_price: float
    ended: str
    idle: tuple[str, ...] = ()
    checked: float | None = None
    lost: Estimate | None = None
    paths: int = 0
    timings: dict[str, float] = field(default_factory=dict)

    @property
    def feasible(self) -> bool:
        """Whether every constraint holds, with the confidence asked, on paths that the fit has not seen; on windows, whether those keep it."""
        return all(term.holds for term in self.terms)

    @property
    def history(self) -> Any:
        """A pandas table, one row an evaluation or step: goal, constrained figures, and every fitted number."""
        import pandas as pd

        return pd.DataFrame(self.rows).set_index(next(iter(self.rows[0])))

    def table(self) -> Any:
        """Every fitted number before and after (pandas)."""
        import pandas as pd

        old, new = ({n: parameters(study)[n] for n in self.names} for study in (self.before, self.study))
        return pd.DataFrame({"before": one_by_one(old), "after": one_by_one(new)})

    def constraints(self) -> Any:
        """For every constraint value, limit, bound, margin, whether it holds, whether it binds, its price (pandas); of windows no bound."""
        import pandas as pd

        rows = {
            term.name: {
                "value": term.verdict.estimate,
                "limit": _limit(term.condition),
                "bound": None if term.seen else term.verdict.bound,
                "confidence": None if term.seen else term.condition.constraint.confidence,
                "margin": term.margin,
                "holds": term.holds,
                "binds": term.binds,
                "price": term.price,
            }
            for term in self.terms
        }
        return pd.DataFrame.from_dict(rows, orient="index")

    def says(self) -> list[str]:
        """The answer in sentences: the goal, each constraint, the floor's price, and what should be known of the search."""
        goal = metric(self.wish.goal_name)
        seen = self.before.sampling.kind == "windows"
        where = "on the windows of history it was fitted to, for there are no others: this is no proof" if seen else "on unseen paths"
        lines = [f"{goal.label} {_shown(self.goal, goal)}{self.over(self.wish.goal_measure(self.before))} {where}"]
        lines += [self._of(term) for term in self.terms]
        if self.terms and self.floor_price > 0.0:
            lines.append(f"one more percent of floor costs {self._cost(0.01 * self.floor_price)}, the rule's own floor as it is")
        lines += self._search()
        return lines

    def _of(self, term: Term) -> str:
        one, found, shown = term.condition, term.verdict, metric(term.condition.measure.key)
        sure = f"{100.0 * one.constraint.confidence:g} % confidence"
        side = "at most" if one.constraint.sign < 0.0 else "at least"
        text = f"{_named(term, shown)} {_shown(found.estimate, shown)}{self.over(one.measure)}, asked {side} {_number(one.limit, shown)}"
        edge = f"{side} {_number(found.bound, shown)}"
        if term.seen and term.holds:
            text += ": kept on the windows fitted to, which says nothing of others"
        elif term.seen:
            text += f": not kept on the windows fitted to, by {_number(-term.margin, shown)}"
        elif found.holds:
            text += f": holds with {sure} ({edge})"
        elif term.margin < 0.0:
            text += f": does not hold, by {_number(-term.margin, shown)}"
        else:
            text += f": not sure enough, for with {sure} it is only {edge}"
        if not term.price > 0.0 or (self.ended == "infeasible" and term.margin < 0.0):  # of what cannot be met a price says nothing
            return text if term.binds else f"{text}; it does not bind"
        unit, words = (0.001, "0.1 %") if one.measure.how == "probability" else (0.01, "1 %") if shown.unit == "%" else (1.0, "1")
        words += " more" if one.constraint.sign < 0.0 else " less"
        return f"{text}; it binds, and {words} of it would gain {self._cost(unit * term.price)}"

    def _search(self) -> list[str]:
        broken = [term for term in self.terms if not term.holds]
        lines = []
        if self.ended == "infeasible" and broken:
            names = ", ".join(f"{t.name} (by {_number(-t.margin, metric(t.condition.measure.key))})" for t in broken if t.margin < 0.0)
            ways = "search from other starts, give more validation paths, or ask for less"
            lines.append(f"no point near here meets what is asked; at the nearest, broken are {names or 'none by value'}: {ways}")
        elif self.ended == "standstill":
            lines.append("the search stands still short of an optimum: give more paths, other starts or a larger width")
        elif self.ended == "evaluations":
            lines.append("the search ran out of evaluations before it came to an optimum: give more, or start elsewhere")
        if broken and self.ended != "infeasible":
            seen = all(term.seen for term in broken)
            ways = "search from other starts" if seen else "give more validation paths"
            lines.append(f"what was wished for is not {'kept' if seen else 'shown to hold'}: {ways}, or ask for less")
        if self.lost is not None and self.astray:
            ways = "give a lower learning rate or more steps" if self.ended == "steps" else "search from other starts"
            better = f"{self._cost(self.lost.value)} better on the same paths, more than four errors"
            lines.append(f"the fit went astray: where it began kept every limit and was {better}: {ways}")
        if self.idle:
            lines.append(f"unused, with a gradient of exactly zero: {', '.join(self.idle)}")
        if self.checked is not None:
            found = f"{self._cost(self.checked)} better" if self.checked > 0.0 else "nothing better"
            lines.append(f"a search without derivatives, on the hard rule and the same paths, found {found}")
        return lines

    @property
    def astray(self) -> bool:
        """Whether the start kept what was wished for and was better by more than four errors, those of both goals though on the same paths."""
        return self.lost is not None and self.lost.value > 4.0 * self.lost.error

    def over(self, measure: Any) -> str:
        """What is said after a return over the whole horizon, where that is not a year; else nothing. Its price is told a year.

        Args:
            measure: Of the goal or of a constraint.
        """
        return f" over {1.0 / measure.annual:g} years" if measure.annual != 1.0 else ""

    def _cost(self, goal: float) -> str:
        """An amount of the goal in words."""
        annual = self.wish.goal_measure(self.before).annual
        if metric(self.wish.goal_name).unit == "%":
            yearly = annual != 1.0 or float(self.before.years) == 1.0
            return f"{1e4 * goal * annual:.3g} bp{' a year' if yearly else ''} of {metric(self.wish.goal_name).label}"
        return f"{goal:.3g} of {metric(self.wish.goal_name).label}"


def _named(term: Term, shown: Any) -> str:
    _, _, market = term.name.partition(" in ")
    return f"{shown.label}{f' in {market}' if market else ''}"


def _limit(one: Condition) -> str:
    return f"{'at most' if one.constraint.sign < 0.0 else 'at least'} {one.limit:g}"


def _shown(one: Estimate, shown: Any) -> str:
    return f"{one.scaled(shown.factor)}{' %' if shown.unit else ''}"


def _number(x: float, shown: Any) -> str:
    return f"{shown.factor * x:.4g}{' %' if shown.unit else ''}"
