"""A mix on paper: what it would be worth, income and interest included, free of cost; what floors and stops measure wealth against.

Held from one date to the next as units: a share of an asset of price S and next date's forward F, discounted by D, is worth S' / (D F) of itself on
the next date, which is its price and income together.
"""

from typing import NamedTuple

import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine.policy.seen import Seen


class Paper(NamedTuple):
    """What it holds, as of the next date: units by asset, and cash with its interest."""

    units: dict[str, Scalar]
    cash: Scalar


def open_paper(seen: Seen) -> Paper:
    """The starting wealth in cash."""
    return Paper({name: jnp.zeros_like(seen.wealth) for name in seen.risky}, jnp.asarray(seen.start_wealth, seen.wealth.dtype))


def worth(paper: Paper, seen: Seen) -> Scalar:
    """What it is worth today."""
    return paper.cash + sum((paper.units[name] * seen.prices[name] for name in seen.risky), start=0.0)


def invested(value: Scalar, shares: dict[str, Scalar], seen: Seen) -> Paper:
    """``value`` put into shares of assets until the next date, the rest in cash."""
    later = seen.step + 1
    discount = seen.discount(later)
    units = {name: shares.get(name, 0.0) * value / (discount * seen.quotes[name].forward(later)) for name in seen.risky}
    return Paper(units, (1.0 - sum(shares.values())) * value / discount)
