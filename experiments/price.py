"""A contract: its price by Monte Carlo under Q, and beside it the formula and its Greeks where one is exact for the market.

python experiments/price.py instrument=barrier instrument.barrier=85 market=lognormal
"""

import sys
from typing import Any

import _main

import mcengine as mc
from mcengine import config as configuration
from mcengine import report
from mcengine.engine.price import check_market, market_of


def ready(config: Any) -> tuple[mc.market.Market, Any, Any]:
    """(the market, the contract, the noise)."""
    contract, noise = configuration.build(config.instrument), configuration.build(config.noise)
    market = market_of(contract, configuration.market_of(config))
    check_market(contract, market)
    return market, contract, noise


@_main.main("price", ready)
def main(config: Any, folder: report.RunFolder) -> tuple[dict[str, Any], dict[str, Any]]:
    market, contract, noise = ready(config)
    if getattr(market, "scenarios", None):
        print("scenario: a shock nobody expects, which is in no price")
    paths, steps = configuration.integer(config, "paths"), configuration.integer(config, "steps")
    estimate = mc.price(contract, market, paths=paths, steps=steps, seed=config.seed, noise=noise, control=config.control)
    print(f"{contract}\n\nby Monte Carlo, {paths:,} paths: {estimate}", flush=True)
    try:
        greeks = mc.greeks.of(contract, market, steps=steps)
    except ValueError as error:
        print(f"no formula beside it: {error}", flush=True)
        return {"price": estimate}, {}
    print("by its formula\n" + "\n".join(f"{name:>36} {greeks[name]:14.6f}" for name in greeks), flush=True)
    return {"price": estimate, "formula": greeks}, {}


if __name__ == "__main__":
    sys.exit(main())
