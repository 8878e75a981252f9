"""Derivatives: of a put's price by autodiff, and of a whole hedged year by every market number, pathwise with their errors.

python experiments/greeks.py
"""

import sys
from typing import Any

import _main
import _task

import mcengine as mc
from mcengine import config as configuration
from mcengine import greeks, report


@_main.main("greeks")
def main(config: Any, folder: report.RunFolder) -> tuple[dict[str, Any], dict[str, Any]]:
    study = configuration.study(config)
    if config.trace is not None:
        return _task.trace(config, folder, study)

    study.market.risk_neutral()  # history has no law to price by
    spot = float(study.market[config.contract.asset].spot)
    put = mc.instrument.Put(strike=config.contract.moneyness * spot, expiry=config.contract.expiry, asset=config.contract.asset)
    print(f"a put on {put.asset} at {float(put.strike):.4g}, spot {spot:.4g}, expiry {float(put.expiry):g} y, under Q\n")
    of_put = _of(put, study.market)
    print("\n".join(f"{name:>12} {of_put[name]:12.6f}" for name in sorted(of_put, key=lambda name: name != "price")), flush=True)

    journal = _task.journal(config, folder, study, "greeks", names=str(config.names), paths=config.paths, devices=_task.devices())
    table = greeks.study(study, config.names, paths=config.paths, seed=config.seed, journal=journal)
    folder.write_table("greeks", table)
    print(f"\nmean wealth after {float(study.years):g} y / starting wealth, derived by each number, {config.paths:,} paths, ± standard error\n")
    print("\n".join(f"{name:>32} {value!s:>24}" for name, value in table["derivative"].items()), flush=True)
    return {"put": of_put, "study": dict(table["derivative"])}, {}


def _of(put: Any, market: Any) -> dict[str, float]:
    """Its price and Greeks, by an approximation where no formula is exact, which is said."""
    try:
        return greeks.of(put, market)
    except ValueError as error:
        found = greeks.of(put, market, approximate=True)
        print(f"by an approximation: {error}", flush=True)
        return found


if __name__ == "__main__":
    sys.exit(main())
