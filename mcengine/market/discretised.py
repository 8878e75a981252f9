"""A market on a calendar: tables by step, the Cholesky factor, and one step of everything that moves."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine.market import correlation as corr
from mcengine.market import events as on_dates
from mcengine.market import regimes as chain
from mcengine.market import short_rate
from mcengine.market.regimes import ByRegime
from mcengine.pricing import Calendar, Quote


class PreparedMarket:
    """A market on a calendar: tables by step, the Cholesky factor, and one step of everything that moves. It lives inside one traced program.

    States are by asset, with ``rate`` and ``regimes`` where these move. Of the normals that of the regimes comes first, then the events', the rate's,
    and the assets' in their order: one asset more leaves the others'.

    Args:
        market: The market.
        calendar: Dates of the run.
    """

    def __init__(self, market: Any, calendar: Calendar) -> None:
        self.market = market
        self.n_factors, self.n_uniforms = market.n_factors, market.n_uniforms
        self.times = calendar.times()
        self.discounts = market.rate.discounts(self.times)
        self._dt = jnp.diff(self.times)[: calendar.steps]
        self._at = self.times[: calendar.steps]
        self._ends = (self.discounts[:-1][: calendar.steps], self.discounts[1:][: calendar.steps])
        self._switches = market.regimes is not None and len(market.regimes.names) > 1
        self.transition = market.regimes.transition(self._dt[0]) if market.regimes is not None else None
        self.rows = {
            "assets": {name: asset.table_in(market, self._at, self._dt, self._ends) for name, asset in market.assets.items()},
            # What cash earns over the step, and what one unit of each asset pays out of its value at the end.
            "interest": self._ends[0] / self._ends[1] - 1.0,
            "income": {name: jnp.expm1(asset.dividend * self._dt) for name, asset in market.assets.items()},
        }
        if market.rate.n_factors:
            self.rows["rate"] = short_rate.table(market.rate, self._at, self._dt, self._ends)
        if market.events:
            moved = on_dates.names(market.events)
            self.rows["side"] = on_dates.sides(market.events, self._at, self._dt)
            self.rows["events"] = {name: on_dates.hits(market.events, name, self._at, self._dt) for name in moved}
        self._shock()
        self._carry = {name: jnp.exp(-asset.dividend * self.times) / self.discounts for name, asset in market.assets.items()}
        moved = on_dates.names(market.events)
        self._events = {name: on_dates.variance_by_date(market.events, name, self.times, self._dt) for name in moved}
        self._sides = {name: on_dates.two_sided(market.events, name, self._dt) for name in moved}
        self._ahead = {name: asset.law_ahead(market, name, self.transition, self._dt[0], calendar.dates) for name, asset in market.assets.items()}
        self._exposure = {name: market.rate_exposure(name) for name in market.assets} if market.rate.n_factors else {}
        self._factor = self._factors()

    def _shock(self) -> None:
        """Scenario shocks enter the drift table only; no price and no rule sees them."""
        for scenario in self.market.scenarios.values():
            when = on_dates.on(scenario.date, self._at, self._dt)
            for name, move in scenario.moves.items():
                if name == "rate":
                    row = self.rows["rate"]
                    self.rows["rate"] = row._replace(pull=row.pull + when * move)
                else:
                    self.rows["assets"][name] = self._moved(name, self.rows["assets"][name], when * move)

    def _moved(self, name: str, row: Any, move: Scalar) -> Any:
        """A row of an asset whose log-return is ``move`` larger."""
        if isinstance(row, ByRegime):
            return ByRegime(tuple(self._moved(name, one, move) for one in row.each))
        try:
            return self.market.assets[name].with_return(row, move)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None

    def _factors(self) -> Any:
        """Rows of the Cholesky factor, by regime where these have correlations of their own."""
        market = self.market
        loadings = {name: asset.loadings() for name, asset in market.assets.items() if asset.n_factors}
        if market.rate.n_factors:
            loadings = {"rate": short_rate.loadings(market.rate, self._dt[0]), **loadings}
        names, rows = list(loadings), list(loadings.values())
        if market.regimes is None or not market.regimes.correlation:
            return corr.factor(market.correlation, names, rows)
        by_regime = (market.regimes.correlation.get(name, market.correlation) for name in market.regimes.names)
        return ByRegime(tuple(corr.factor(pairs, names, rows) for pairs in by_regime))

    def growth(self, name: str, step: Scalar) -> Scalar:
        """E[next spot] / spot under P over a step, e^{(mu - q) dt}.

        Args:
            name: The asset.
            step: Index of the step.

        Raises:
            ValueError: The asset has no drift, or the market moves its prices by more than drifts say.
        """
        asset, market = self.market.assets[name], self.market
        if asset.drift is None or isinstance(asset.drift, dict):
            raise ValueError(f"controls: expected assets with a drift, under which their expected gains are known, got {name!r} without")
        if market.scenarios or (market.measure == "Q" and market.rate.n_factors):
            raise ValueError("controls: expected a market whose drifts say all, got one with scenarios, or with a stochastic rate under Q")
        return jnp.exp((asset.drift - asset.dividend) * (self.times[1] - self.times[0]) + asset.shock * (step == 0))

    def variance_of(self, shares: Mapping[str, Scalar], quotes: Mapping[str, Quote], states: dict[str, Any]) -> Scalar:
        """As the market's.

        Args:
            shares: By asset, of a mix.
            quotes: By asset.
            states: The market's; read by histories only.
        """
        return self.market.variance_of(shares, {name: quotes[name].variance for name in shares})

    def start(self, path: Any = None, source: Any = None) -> dict[str, Any]:
        """States today, the same for every path.

        Args:
            path: Id of the path; read by histories only.
            source: Its random numbers; read by histories only.
        """
        # One dtype and no weak types: the scan's carry must look the same before and after a step.
        as_float = lambda leaf: jnp.asarray(leaf, jnp.result_type(float))  # noqa: E731
        market = self.market
        states = {name: asset.start() for name, asset in market.assets.items()}
        if market.rate.n_factors:
            states["rate"] = short_rate.start()
        if market.regimes is not None:
            states["regimes"] = float(market.regimes.names.index(market.regimes.start))
        return jax.tree.map(as_float, states)

    def step(self, states: dict[str, Any], row: Any, normals: tuple[Scalar, ...], uniforms: tuple[Scalar, ...] = ()) -> dict[str, Any]:
        """States a step later.

        Args:
            states: The market's states by name.
            row: This step's row of ``rows``.
            normals: Independent standard normals [n_factors].
            uniforms: Independent uniforms on (0, 1) [n_uniforms].
        """
        z = corr.correlate(self.factor(states), normals[self.market.n_shared :])
        return self.step_by(states, row, normals[: self.market.n_shared], z, uniforms)

    def factor(self, states: dict[str, Any]) -> list[list[Scalar]]:
        """Rows of the Cholesky factor that is in force.

        Args:
            states: The market's states by name.
        """
        return _pick(self._factor, states.get("regimes"))

    def own_row(self, name: str, states: dict[str, Any], row: Any) -> Any:
        """An asset's row of the regime in force.

        Args:
            name: The asset.
            states: The market's states by name.
            row: This step's row of ``rows``.
        """
        return _pick(row["assets"][name], states.get("regimes"))

    def step_by(
        self, states: dict[str, Any], row: Any, normals: Sequence[Scalar], z: Sequence[Scalar], uniforms: tuple[Scalar, ...] = ()
    ) -> dict[str, Any]:
        """States a step later, by normals that are correlated already.

        Args:
            states: The market's states by name.
            row: This step's row of ``rows``.
            normals: Those of the regimes and the events, correlated with none [n_shared].
            z: Those of the rate and the assets, correlated.
            uniforms: Independent uniforms on (0, 1) [n_uniforms].
        """
        market, regime = self.market, states.get("regimes")
        shared, drawn = market.n_shared, 0
        new: dict[str, Any] = {}
        if market.events:
            up, news = normals[shared - 2] < row["side"], normals[shared - 1]
        first = market.rate.n_factors
        if first:
            new["rate"] = short_rate.step(states["rate"], row["rate"], tuple(z[:first]))
        for name, asset in market.assets.items():
            own = self.own_row(name, states, row)
            if market.events and name in row["events"]:
                own = self._moved(name, own, on_dates.jump(row["events"][name], up, news))
            if market.measure == "Q" and market.rate.n_factors and asset.takes_interest:
                own = self._moved(name, own, new["rate"].accrued)
            last, taken = first + asset.n_factors, drawn + asset.n_uniforms
            new[name] = asset.step_in(states[name], own, tuple(z[first:last]), tuple(uniforms[drawn:taken]), states, new)
            first, drawn = last, taken
        if market.regimes is not None:
            new["regimes"] = chain.draw(self.transition, regime, normals[0]) if self._switches else regime
        return new

    def settle(self, before: dict[str, Any], after: dict[str, Any], row: Any) -> Any:
        """The row of a step with the interest and the income that depend on the path.

        Args:
            before: States at the start of the step.
            after: States at its end.
            row: This step's row of ``rows``.
        """
        if self.market.rate.n_factors:
            row = row | {"interest": jnp.expm1(after["rate"].accrued)}
        paid = {name: asset.income(before[name], row["assets"][name], row["interest"]) for name, asset in self.market.assets.items()}
        own = {name: income for name, income in paid.items() if income is not None}
        return row | {"income": row["income"] | own} if own else row

    def bank_discount(self, states: dict[str, Any], today: Scalar) -> Scalar:
        """Value today of 1 paid now on this path: 1 over the bank account.

        Args:
            states: The market's states by name.
            today: What today's curve says of it, which holds where the rate is certain.
        """
        return jnp.exp(-states["rate"].total) if self.market.rate.n_factors else today

    def quotes(self, states: dict[str, Any], step: Scalar) -> dict[str, Quote]:
        """What the market shows at a date: a ``Quote`` by asset.

        Args:
            states: The market's states by name.
            step: Index of the date.
        """
        market, out = self.market, {}
        for name, asset in market.assets.items():
            spot, variance = market.observe(name, states)
            rate = short_rate.view(market.rate, states["rate"], self.times[step], self._exposure[name]) if market.rate.n_factors else None
            out[name] = Quote(
                spot,
                variance,
                step,
                self.times,
                self.discounts,
                self._carry[name],
                curve=asset.forward_curve_in(market, name),
                rate=rate,
                events=self._events.get(name),
                sides=self._sides.get(name),
                extra=asset.quote_extra(self._ahead[name], states),
            )
        return out


def _pick(value: Any, regime: Scalar) -> Any:
    return value.pick(regime) if isinstance(value, ByRegime) else value
