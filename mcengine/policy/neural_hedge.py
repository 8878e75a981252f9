"""A small network that holds several assets against what a book owes (deep hedging: Buehler, Gonon, Teichmann & Wood 2019).

With x what is seen on the date, V the wealth and S_i the price of asset i at the start, and s_i its size, there are held
    s_i V / S_i  c_i . (h_2, 1)  units,   h_2 = tanh(B (h_1, 1)),   h_1 = tanh(A x),
nothing while c = 0: as it begins. One network serves all dates; it sees which date it is and what it holds.
"""

from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar, model, number, static
from mcengine.instrument import AbstractSlot, Target, Underlying
from mcengine.instrument.base import check_count
from mcengine.policy.base import AbstractStage, Kind, Setting, positive_ratio, validate_asset
from mcengine.policy.neural import USUAL, Weights
from mcengine.policy.seen import Seen
from mcengine.pricing.black import root

ALWAYS, EACH = 3, 3
"""Inputs: steps left, gain and 1; of each asset the log of its price, its volatility and what is held."""


@model
class NeuralHedge(AbstractStage):
    """Holds assets, in slots of its own, by a network that reads off what is seen: the share of steps left, what wealth has gained; of each asset ln
    of its price over that at the start in deviations to the horizon, its volatility over that at the start, and what is held over its size.

    Args:
        sizes: By asset, what 1 of the network's output holds, at the start a share of wealth: what the hedge holds at most or so.
        hidden: Units of each of the two hidden layers.
        seed: Of the hidden layers' numbers, normal with variance 1 / inputs.
        slot: Its slots' names begin with it.
        first: First layer A, [hidden, inputs]; None to draw it.
        second: Second layer B, [hidden, hidden + 1]; None to draw it.
        last: Last layer c, [assets, hidden + 1]; None for zeros.

    Raises:
        ValueError: For no asset or one that the market lacks, or layers of another shape.

    Example:
        >>> import mcengine as mc
        >>> stage = mc.policy.NeuralHedge({"equity": 1.0, "variance": 0.01}, hidden=8)
        >>> stage.first.shape, stage.second.shape, stage.last.shape
        ((8, 9), (8, 9), (2, 9))
    """

    sizes: dict[str, Scalar] = number(above=0.0, term=True)
    hidden: int = static(default=16)
    seed: int = static(default=0)
    slot: str = static(default="neural_hedge")
    first: Weights = number(default=None)
    second: Weights = number(default=None)
    last: Weights = number(default=None)

    kind: ClassVar[Kind] = "hedge"

    def canonical(self) -> dict[str, Any]:
        if not self.sizes:
            raise ValueError("NeuralHedge.sizes: expected at least one asset, got none")
        check_count("NeuralHedge.hidden", self.hidden, 1)
        check_count("NeuralHedge.seed", self.seed, 0)
        random = np.random.default_rng(self.seed)
        drawn = {name: random.standard_normal(shape) / np.sqrt(shape[1]) for name, shape in self._shapes.items()}
        drawn["last"] = np.zeros(self._shapes["last"])
        return {name: value if getattr(self, name) is None else getattr(self, name) for name, value in drawn.items()}

    def check(self) -> None:
        for name, shape in self._shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"NeuralHedge.{name}: expected numbers of shape {shape}, got {getattr(self, name).shape}")

    @property
    def _shapes(self) -> dict[str, tuple[int, int]]:
        n = len(self.sizes)
        return {"first": (self.hidden, ALWAYS + EACH * n), "second": (self.hidden, self.hidden + 1), "last": (n, self.hidden + 1)}

    def slots(self) -> dict[str, AbstractSlot]:
        return {f"{self.slot}_{name}": Underlying(name) for name in self.sizes}

    def validate(self, setting: Setting) -> None:
        for name in self.sizes:
            validate_asset("NeuralHedge.sizes", name, setting.assets)

    def start(self, seen: Seen) -> dict[str, tuple[Scalar, Scalar]]:
        """Price and volatility at the start, by asset."""
        return {name: (seen.quotes[name].spot, root(seen.quotes[name].variance)) for name in self.sizes}

    def act(self, target: Target, seen: Seen, memory: dict[str, tuple[Scalar, Scalar]]) -> tuple[Target, Any]:
        # No quotient by a number common to all paths: it is rounded otherwise on other numbers of devices.
        inputs = [1.0 - seen.step * (1.0 / seen.horizon), USUAL * (seen.wealth - seen.start_wealth) * (1.0 / seen.start_wealth), 1.0]
        unit = {name: size * seen.start_wealth / memory[name][0] for name, size in self.sizes.items()}
        for name, (spot, volatility) in memory.items():
            move = jnp.log(seen.quotes[name].spot) - jnp.log(spot)
            inputs.append(positive_ratio(move * (seen.horizon * seen.dt) ** -0.5, volatility))
            inputs.append(positive_ratio(root(seen.quotes[name].variance), volatility))
            inputs.append(seen.held[f"{self.slot}_{name}"].units / unit[name])
        # Summed one by one: a product of matrices would be rounded as the size of the block has it.
        one = jnp.tanh(sum(self.first[:, i] * x for i, x in enumerate(inputs)))
        two = jnp.tanh(sum(self.second[:, i] * one[i] for i in range(self.hidden)) + self.second[:, -1])
        held = sum(self.last[:, i] * two[i] for i in range(self.hidden)) + self.last[:, -1]
        return target | {f"{self.slot}_{name}": one * held[i] for i, (name, one) in enumerate(unit.items())}, memory
