"""Derivatives: of a put's price by autodiff, and of figures of a hedged outcome by market and rule, each by the estimator that a pilot found best.

python experiments/greeks.py policy=cppi figures=[mean_return,breach_any_day]
"""

import sys
from typing import Any

import _main
import _task

import mcengine as mc
from mcengine import config as configuration
from mcengine import greeks, report


def ready(config: Any) -> tuple[mc.Study, Any]:
    """(the study, the put that is derived)."""
    study = configuration.study(config)
    _task.check_floor(study, config.floor)
    if config.trace is not None:
        return study, None
    study.market.risk_neutral()  # history has no law to price by
    spot = float(study.market[config.contract.asset].spot)
    return study, mc.instrument.Put(strike=config.contract.moneyness * spot, expiry=config.contract.expiry, asset=config.contract.asset)


@_main.main("greeks", ready)
def main(config: Any, folder: report.RunFolder) -> tuple[dict[str, Any], dict[str, Any]]:
    study, put = ready(config)
    if config.trace is not None:
        return _task.trace(config, folder, study)

    spot = float(study.market[put.asset].spot)
    print(f"a put on {put.asset} at {float(put.strike):.4g}, spot {spot:.4g}, expiry {float(put.expiry):g} y, under Q\n")
    of_put = _of(put, study.market)
    print("\n".join(f"{name:>12} {of_put[name]:12.6f}" for name in sorted(of_put, key=lambda name: name != "price")), flush=True)

    settings = {key: configuration.number(config, key) for key in ("pilot", "width", "tolerance")}
    kept = {key: str(config[key]) for key in ("names", "figures", "floor", *settings)}
    journal = _task.journal(config, folder, study, "greeks", paths=config.paths, devices=_task.devices(), **kept)
    asked = {"floor": config.floor, "paths": config.paths, "seed": config.seed, "journal": journal, **settings, "pilot": int(settings["pilot"])}
    found = greeks.of_study(study, config.figures, config.names, **asked)
    folder.write_table("greeks", found.table())
    print(f"\nafter {float(study.years):g} y, {found}", flush=True)
    by_figure: dict[str, dict[str, Any]] = {}
    for choice, value in zip(found.choices, found.values, strict=True):
        by_figure.setdefault(choice.figure, {})[choice.number] = value
    return {"put": of_put, "study": by_figure}, {}


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
