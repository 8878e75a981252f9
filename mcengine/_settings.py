"""What the settings of an experiment may be, by key: those of conf/ that no ``_target_`` takes. Read by type before anything is built.

Options of a group without a target are arguments of the function that the experiment calls: their annotations are that function's.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypedDict

from mcengine._kinds import check_keys, check_kind, kinds
from mcengine.calibrate import fit_prices, read_quotes
from mcengine.engine import hosts, run
from mcengine.history import read
from mcengine.instrument.base import AbstractContract
from mcengine.ledger import AbstractCost
from mcengine.market import Market, Scenario, Stress
from mcengine.market.historical import SeriesFields
from mcengine.noise import Counter
from mcengine.objective import Wish
from mcengine.optimise.fitting import fit
from mcengine.policy import AbstractStage
from mcengine.variance_reduction import reduce


class Until(TypedDict):
    """As ``run`` takes it, both or none."""

    metric: str | None
    error: float | None


class PutOfGreeks(TypedDict):
    """The put that experiments/greeks.py derives."""

    asset: str
    moneyness: float
    expiry: float


class Frontier(TypedDict):
    """Of experiments/optimise.py: a constraint of the wish, or its floor, and limits of it."""

    constraint: str | None
    levels: list[float]


class CaseTerms(TypedDict):
    """Of the book of experiments/case_study.py."""

    coverage: float
    tenor: int
    vega: float
    before: int
    expiry: int
    band: float
    hedge_band: float


class CaseAssumptions(TypedDict):
    """Under which its books stand; nothing for what is calibrated."""

    variance: float | None
    event: float | None
    skew: float
    cost: float
    leverage: float
    drift: float


class CaseMap(TypedDict):
    """Values of its map."""

    paths: int
    variance: list[float]
    event: list[float]
    skew: list[float]
    cost: list[float]


class CaseBands(TypedDict):
    """Values of the book's own numbers."""

    vega: list[float]
    hedge_band: list[float]


class CaseFit(TypedDict):
    """Of these numbers: most that P(any day below) may be, and paths."""

    breach: float
    paths: int
    validation_paths: int


class Search(TypedDict):
    """Of a sweep over an interval."""

    metric: str
    goal: str
    most: Mapping[str, float]
    trials: int
    batch: int


class Workload(TypedDict, total=False):
    """One of experiments/benchmark.py."""

    share: float
    peers: Mapping[str, float]
    steps: int
    block: int | None
    most: float
    paths: list[float]
    by_steps: list[int]
    by_assets: list[int]
    tangent_share: float
    market: str | None


class Settings(TypedDict):
    """Of all experiments. A count is a ``float`` here, for 1e6 is one."""

    floor: float
    floors: list[float]
    weights: Mapping[str, float]
    paths: float
    test_paths: float
    until: Until
    seconds: float | None
    resume: str | None
    seed: int
    years: float
    steps: float
    delay: float
    precision: str
    plots: bool | Literal["svg", "pdf"]
    outcomes: bool
    explain: bool
    trace: int | list[int] | None
    stream: str
    names: list[str] | None
    figures: list[str] | None
    pilot: float
    width: float
    tolerance: float
    contract: PutOfGreeks
    control: str | None
    market: Market
    correlation: Stress
    scenario: Scenario
    ledger: AbstractCost
    noise: Counter
    policy: AbstractStage
    policies: Mapping[str, AbstractStage]
    objective: Wish
    benchmark: AbstractStage
    also: list[str] | None
    frontier: Frontier
    search: Search
    instrument: AbstractContract
    workload: Mapping[str, Workload]
    peers: str | list[str]
    repeats: int
    gradient_block: int | None
    memory: bool
    memory_paths: list[float]


def _options(call: Callable[..., Any], *fixed: str) -> dict[str, Any]:
    """Annotations of a function's arguments but for those that the experiment gives."""
    return {key: kind for key, kind in kinds(call).items() if key not in (*fixed, "return")}


GROUPS: dict[str, dict[str, Any]] = {
    "engine": _options(run, "study", "paths", "seed", "stream", "first", "figures", "folder", "resume", "until", "seconds"),
    "optimise": _options(fit, "study", "wish", "benchmark", "also", "seed", "judges", "journal"),
    "variance_reduction": _options(reduce, "study", "figures", "floor", "book", "seed"),
}
GROUPS["engine"] |= {"platform": str | None, "hosts": TypedDict("Hosts", _options(hosts.start)) | None}  # type: ignore[operator]

GROUPS["monitor"] = {
    "start": str | None,
    "folder": str | None,
    "follow": bool,
    "poll": float,
    "gap": float,
    "wealth": float,
    "book": str | None,
}
GROUPS["backtest"] = {
    "first": int,
    "last": int,
    "fit": bool,
    "skew": float,
    "assets": Mapping[str, SeriesFields | str | None] | None,
    "rate": str | float | None,
    "models": Mapping[str, str] | None,
    "weights": Mapping[Any, Mapping[str, float]] | None,
    "periods": bool,
    "drawn": int,
    "tries": str | None,
}
GROUPS["case"] = {
    "parts": list[str],
    "per_year": int,
    "moves": Mapping[str, float],
    "lognormal": bool,
    "terms": CaseTerms,
    "assumptions": CaseAssumptions,
    "map": CaseMap,
    "bands": CaseBands,
    "fit": CaseFit,
    "skews": list[float],
    "announced": list[str],
}
GROUPS["quotes"] = {"model": str | None, "file": str | None, **_options(read_quotes, "data", "days_a_year")}
GROUPS["data"] = {"file": str | None, **_options(read, "data", "start", "end", "levels")}

NEEDED = {
    "engine": ("hosts", "platform"),
    "optimise": ("method",),
    "variance_reduction": ("method",),
    "data": ("file",),
    "quotes": ("model", "file"),
    "monitor": ("start", "folder", "follow", "poll", "gap", "wealth", "book"),
    "backtest": tuple(GROUPS["backtest"]),
    "case": tuple(GROUPS["case"]),
}
"""Options that an experiment reads itself."""

_FITTED = _options(fit_prices, "data", "say")


def check_settings(config: Mapping[str, Any], known: Iterable[str], name: str) -> None:
    """Check the settings of a configuration.

    Args:
        config: Plain.
        known: Keys that conf/<name>.yaml has.
        name: Of the experiment.

    Raises:
        ValueError: A key that nothing reads, with the near names, one that is missing, or a value of another kind than its reader takes.
    """
    known = list(known)
    missing = [key for key in known if key not in config and key != "search"]  # a run's folder does not keep how it came to be asked for
    if missing:
        raise ValueError(f"{missing[0]}: expected a value, which experiments/{name}.py reads, got nothing")
    check_keys({key: None for key in config if key not in known}, dict.fromkeys(known, Any))
    types = {**kinds(Settings), **(_FITTED if name == "calibrate" else {})}
    check_keys({key: value for key, value in config.items() if key not in GROUPS}, {key: types.get(key, Any) for key in known})
    for group in GROUPS.keys() & config.keys():
        check_kind(config[group], Mapping[str, Any], group)
        check_keys(config[group], GROUPS[group], group)
        if missing := [key for key in NEEDED[group] if key not in config[group]]:
            raise ValueError(f"{group}.{missing[0]}: expected a value, which experiments/{name}.py reads, got nothing")
