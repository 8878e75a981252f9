"""Speed, beside peers that do the same work in the same run: tables, one line of JSON a workload, a picture.

basket8, asian_barrier, heston       contracts on a market alone, prices checked
joint8                               eight assets of four models, a stochastic rate and regimes, beside eight lognormal ones
hedged, hedged_gradient              volatility target, CPPI and a rolled put with costs: outcome, and gradient by all parameters
pfhedge_case                         a call hedged in a no-trade band
cppi4, study_book, study_book_gradient   CPPI on four assets; one book of the default study
book5, book5_gradient, book5_hedged, book5_hedged_gradient   five rolled options, and their Greeks and delta hedge, beside study_book
ladder, chain10                      four rungs over a rolled put, beside the put; ten stages, beside the mix
time_to_error                        paths and seconds to a stated error, by each way to reduce variance
scaling                              how cost grows with paths, steps, assets, tangents; what a second core is worth
memory, unless memory=false          peak memory of two runs

Each is warmed up; compilation is timed apart; the runs of a workload and of its peers take turns, and the median counts.

python experiments/benchmark.py
python experiments/benchmark.py workload=[basket8,heston] peers=[numba_counter,quantlib] repeats=3 memory=false
"""

import json
import os
import sys
from typing import Any

import _main
import peers
from workloads import WORKLOADS, Bench, printing

from mcengine import report
from mcengine._spelling import near
from mcengine.engine.program import check_devices

SMALL_REPEATS = 2  # under MC_SMALL=1, where there is no measuring memory either


def chosen(config: Any) -> list[str]:
    """Workloads to run, those of the group ``workload``. Raises ``ValueError`` for a peer that does not exist, before anything runs."""
    for name in [] if config.peers == "all" else config.peers:
        if name not in peers.names():
            raise ValueError(f"peers: unknown {name!r}{near(name, peers.names())}")
    if not config.repeats >= 1:
        raise ValueError(f"repeats: expected a whole number of at least 1, got {config.repeats}")
    return [*config.workload, *(["memory"] if config.memory else [])]


def device(count: int) -> str:
    """What the engine runs on."""
    import jax

    first = jax.devices()[0]
    return f"{count} x {first.device_kind}" + (f" ({report.provenance()['machine']['processor']})" if first.platform == "cpu" else "")


def check(config: Any) -> None:
    """Refuse what a run would be refused for."""
    chosen(config)


@_main.main("benchmark", check)
def main(config: Any, folder: report.RunFolder) -> tuple[dict[str, Any], dict[str, float]]:
    if os.environ.get("MC_SMALL") == "1":
        config.repeats, config.memory = min(config.repeats, SMALL_REPEATS), False
    names = chosen(config)
    bench, on, lines = Bench(config), device(check_devices(config.engine.devices)), []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        line = WORKLOADS[name](bench)
        lines.append({"workload": line.pop("workload"), "device": on, "precision": config.precision, **line})
        print(json.dumps(lines[-1]), flush=True)  # a long run that is stopped has said what it found
    title = f"{on}, {config.precision}, median of {config.repeats}"
    print(f"\n{title}\n\n{printing.table(lines)}\n")
    for name, reason in bench.absent.items():
        print(f"left out of {name.partition('/')[0]}: {reason}")
    if config.plots:
        folder.write_picture("speed", printing.picture(lines, title))
    return {line["workload"]: line for line in lines} | {"left_out": bench.absent}, {}


if __name__ == "__main__":
    sys.exit(main())
