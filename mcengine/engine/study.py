"""``Study``: a market, one or several policies on the same paths, costs, dates and recorders."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mcengine._model import Scalar, model, number, static
from mcengine._spelling import near
from mcengine.engine import recorder
from mcengine.engine.base import AbstractStudy
from mcengine.engine.book import book_needs, book_slots
from mcengine.engine.run import run
from mcengine.engine.trace import trace
from mcengine.ledger import AbstractCost, Proportional
from mcengine.noise import Counter
from mcengine.policy import AbstractStage, Setting
from mcengine.pricing import Calendar
from mcengine.statistics import Sampling

MAX_STEPS = 100_000


@model
class Study(AbstractStudy):
    """What is simulated: a market, one or several policies on the same paths, costs, dates and recorders.

    Args:
        market: A ``Market``, or history: a ``Replay`` or a ``Bootstrap``.
        policy: One rule, or a dict of rules by name.
        costs: What trading and holding cost, a ``Total`` of several.
        years: To the horizon.
        steps: To the horizon, at most ``MAX_STEPS``.
        wealth: Starting wealth, currency.
        delay: Dates from decision to trade: 0, or 1 for back-tests.
        width: Smooths every gate, as a fraction of the starting wealth; 0 for the rule as it is.
        pricers: By asset, in place of the market's own.
        noise: How random numbers are drawn.
        recorders: What is kept of each path.
        steps_per_year: Places the year-ends; 0 to take it from years and steps.
        year_steps: Worked out: steps from one year-end to the next; 0 where years end between steps, and there are no yearly figures.

    Raises:
        ValueError: For anything that does not fit, before compiling.

    Example:
        >>> import mcengine as mc
        >>> market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2, drift=0.07)}, rate=0.03)
        >>> study = mc.Study(market, mc.policy.Mix(equity=0.6), costs=mc.ledger.Proportional(5e-4), steps=12)
        >>> round(study.discount, 4), list(study.books)
        (0.9704, ['policy'])
    """

    market: Any
    policy: Any
    costs: Any = Proportional()
    years: Scalar = number(default=1.0, above=0.0, term=True)
    steps: int = static(default=252)
    wealth: Scalar = number(default=1.0, above=0.0, term=True)
    delay: int = static(default=0)
    width: Scalar = number(default=0.0, low=0.0, term=True)
    pricers: Any = None
    noise: Any = Counter()
    recorders: tuple[Any, ...] = static(default=recorder.DEFAULT)
    steps_per_year: int = static(default=0)
    year_steps: int = static(default=0)

    def check(self) -> None:
        if isinstance(self.steps, bool) or not isinstance(self.steps, int | np.integer) or not 1 <= self.steps <= MAX_STEPS:
            raise ValueError(f"Study.steps: expected a whole number from 1 to {MAX_STEPS:,}, got {self.steps!r}")
        if isinstance(self.delay, bool) or self.delay not in (0, 1):
            raise ValueError(f"Study.delay: expected 0 or 1 dates between decision and trade, got {self.delay!r}")
        # Static, so that year-ends are part of the program; worked out here, where years is a plain number.
        object.__setattr__(self, "year_steps", self.steps_per_year or _whole(self.steps / float(self.years)))
        self.market.check_steps(self.years, self.steps)
        if not self.market.n_factors and self.noise.sampling.kind != "iid":
            raise ValueError(f"Study.noise: expected a counter for a market that draws no normals, got {type(self.noise).__name__}")
        if not self.books:
            raise ValueError("Study.policy: expected a policy or a dict of them, got none")
        if "market" in self.books:
            raise ValueError("Study.policy: expected another name than 'market', under which a result keeps the last prices")
        if not isinstance(self.costs, AbstractCost):
            raise ValueError(f"Study.costs: expected a cost such as Proportional, or a Total of several, got {self.costs!r}")
        for policy in self.books.values():
            if not isinstance(policy, AbstractStage) or policy.kind != "allocator":
                raise ValueError(f"Study.policy: expected an allocator or a chain that starts with one, got {type(policy).__name__}")
            shared = set(policy.slots()) & set(self.market.assets)
            if shared:
                raise ValueError(f"Study.policy: expected slots named unlike assets, got {', '.join(sorted(shared))}")
            setting = self._setting(policy)
            policy.validate(setting)
            for name, slot in policy.slots().items():
                slot.validate(name, setting)
                lacking = [asset for asset in slot.assets if self.pricers and slot.cost_class == "option" and asset not in self.pricers]
                if lacking:
                    raise ValueError(f"Study.pricers: expected one for {lacking[0]!r}, on which {name} holds options, got {', '.join(self.pricers)}")
        for one in self.recorders:
            if isinstance(one, recorder.AbstractRecorder):
                one.check(self)
        self._check_signals()

    def _setting(self, policy: AbstractStage) -> Setting:
        dt = float(self.years) / self.steps
        return Setting(
            assets=tuple(self.market.assets),
            discount=self.discount,
            steps=self.steps,
            dt=dt,
            market=self.market,
            events={name: max(round(float(event.date) / dt), 1) for name, event in getattr(self.market, "events", {}).items()},
            slots=book_slots(policy, tuple(self.market.assets)),
            needs=book_needs(self, policy),
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        """What its rules want said before a run."""
        said = (line for policy in self.books.values() for line in policy.remarks(self._setting(policy)))
        return tuple(dict.fromkeys(said))

    def _check_signals(self) -> None:
        known: dict[str, Any] = {}
        for policy in self.books.values():
            for name, signal in policy.signals():
                for asset in signal.assets:
                    if asset not in self.market.assets:
                        raise ValueError(f"signals.{name}: unknown asset {asset!r}{near(asset, self.market.assets)}")
                other = known.setdefault(name, signal)
                if repr(other) != repr(signal):
                    raise ValueError(f"signals.{name}: expected one signal of this name, got {other} and {signal}; give one a name of its own")

    @property
    def discount(self) -> float:
        """What 1 at the horizon is worth today."""
        return float(np.asarray(self.market.rate.discounts(np.asarray(self.years))))

    @property
    def books(self) -> dict[str, AbstractStage]:
        """Policies by name; a single one is called ``policy``."""
        return dict(self.policy) if isinstance(self.policy, Mapping) else {"policy": self.policy}

    @property
    def sampling(self) -> Sampling:
        """How paths depend on each other: windows of history as the market says, all others as the noise does."""
        return self.market.sampling(self.steps) if hasattr(self.market, "sampling") else self.noise.sampling

    def available(self, paths: int, first: int = 0) -> int:
        """How many of ``paths`` paths from ``first`` on there are: history has only so many windows. Raises ``ValueError`` where there is none."""
        if not hasattr(self.market, "windows"):
            return paths
        windows = self.market.windows(self.steps)
        if first >= windows:
            raise ValueError(f"first: expected a path id below the {windows:,} windows of this history, got {first:,}")
        return min(paths, windows - first)

    @property
    def calendar(self) -> Calendar:
        schedules = [slot.schedule for policy in self.books.values() for slot in policy.slots().values()]
        return Calendar(self.years, self.steps, max((s.past_horizon(self.steps) for s in schedules if s is not None), default=0))

    def run(self, paths: int = 100_000, **options: Any) -> Any:
        """Simulate; see ``engine.run``."""
        return run(self, paths, **options)

    def trace(self, ids: Any, **options: Any) -> Any:
        """Everything at every step of chosen paths.

        Args:
            ids: Of the paths.
            options: As of ``engine.trace``.
        """
        return trace(self, ids, **options)


def _whole(steps_a_year: float) -> int:
    """0 where it is no whole number, to the rounding of years in float32."""
    nearest = round(steps_a_year)
    return nearest if abs(steps_a_year - nearest) <= 1e-6 * steps_a_year else 0
