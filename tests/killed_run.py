"""A run in a process of its own, for tests that kill it: says when it is ready, starts when told."""

import hashlib
import json
import sys

import mcengine as mc
from mcengine.engine import recorder


def study():
    market = mc.market.Market({"equity": mc.market.GBM(100.0, 0.2), "bond": mc.market.GBM(50.0, 0.06)})
    books = {"all": mc.policy.Mix(equity=1.0), "half": mc.policy.Mix(equity=0.5, bond=0.5)}
    return mc.Study(market, books, steps=4, recorders=(recorder.Wealth(),))


def digest(result):
    """Of every kept outcome and of the state of the statistics."""
    out = hashlib.sha256()
    for columns in result.outcomes.values():
        for column in columns.values():
            out.update(column.tobytes())
    for array in result.statistics.state().values():
        out.update(array.tobytes())
    return out.hexdigest()


if __name__ == "__main__":
    options = json.loads(sys.argv[1])
    study().run(64, block=options["block"])  # compiles
    print("ready", flush=True)
    sys.stdin.readline()
    study().run(**options, resume=True)
