"""Draws notebooks/pictures/ladder.png: ``python tests/ladder_picture.py``.

Left: distance of the smooth ladder's wealth from the hard one's, path by path, as its gates narrow. Right: spread over paths of the derivative of
wealth by the level at which a smooth ladder sells, as the horizon is cut into more dates.
"""

from pathlib import Path

import matplotlib
import numpy as np
from test_ladder import rungs, slopes

import mcengine as mc
from mcengine.engine import recorder
from mcengine.policy import Ladder, Mix, Underwater, chain

PICTURE = Path(__file__).resolve().parent.parent / "notebooks" / "pictures" / "ladder.png"
WIDTHS = (3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4)
DATES = (25, 50, 100, 200, 400, 800, 1600)
PATHS = 4096


def gaps(market) -> list[float]:
    """Mean distance from the hard ladder by width."""
    rule = chain(Mix(equity=1.0), Ladder(rungs(), Underwater(10.0)))
    study = mc.Study(market, rule, steps=48, years=48 / 252, recorders=(recorder.Wealth(),))
    wealth = {w: mc.replace(study, width=w).run(PATHS, seed=7, progress=False).wealth.astype(float) for w in (0.0, *WIDTHS)}
    return [float(np.abs(wealth[w] - wealth[0.0]).mean()) for w in WIDTHS]


def main() -> None:
    matplotlib.use("Agg")
    from matplotlib import pyplot

    market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2, drift=0.07)}, rate=0.03)
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9.0, 3.2), layout="constrained")
    left.loglog(WIDTHS, gaps(market), "o-")
    left.set(xlabel="width of the gates, drawdown", ylabel="mean |smooth - hard| wealth", title="Smooth tends to hard")
    spreads = [float(slopes(market, steps, paths=PATHS).std()) for steps in DATES]
    right.semilogx(DATES, spreads, "o-")
    right.set(
        ylim=(0.0, 2.0 * max(spreads)),
        xlabel="dates to the horizon",
        ylabel="sd of d wealth / d level",
        title="The derivative does not grow with the dates",
    )
    for axis in (left, right):
        axis.grid(alpha=0.3)
    figure.savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    main()
