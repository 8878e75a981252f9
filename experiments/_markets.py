"""The markets in which a fit's constraints must hold: the study's own and those of ``also=``, by default the other one made of the same data."""

from collections.abc import Mapping
from typing import Any

import _task

import mcengine as mc
from mcengine import config as configuration

OTHER = {"mcengine.calibrate.fit_history": "market=bootstrap", "mcengine.market.Bootstrap.from_history": "market=history"}
"""By what makes a market of data: paths drawn from a model fitted to it, and its own days drawn again, keep each other honest."""

ADD = "; 'also=[\"market=bootstrap\"]' adds one"
OF_A_FILE = "; 'also=[\"market=bootstrap market.assets=null market.rate=0.02\"]' adds the days of a file drawn again, steps= as many a year as it has"


def also(config: Any, study: mc.Study, wish: mc.objective.Wish) -> dict[str, mc.Study]:
    """Other studies of the same rule by the overrides that make them; says in which markets the constraints are to hold."""
    asked = config.get("also")
    if not wish.constraints:
        return {}
    if asked is not None:
        markets = {words: configuration.study(_task.variant(words), study.policy) for words in asked}
        _say(markets, "" if markets else ADD)
        return markets
    words = OTHER.get(str(config.market.get("_target_")))
    if words is None:
        _say({}, OF_A_FILE if config.market.get("data") is not None else f", for it is not made of data{ADD}")
        return {}
    try:
        markets = {words: configuration.study(_task.variant(words), study.policy)}
    except ValueError as error:  # of what was not asked for: a file's market, say, whose overrides are of another
        _say({}, f", for {words} cannot be made here: {error}")
        return {}
    _say(markets, "; also=[] leaves it out")
    return markets


def _say(markets: Mapping[str, Any], more: str) -> None:
    told = f"in {len(markets) + 1} markets, the study's own and {', '.join(markets)}" if markets else "in the study's own market only"
    print(f"constraints are to hold {told}{more}\n", flush=True)
