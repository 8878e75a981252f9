"""Draws notebooks/pictures/gates.png: ``python tests/gates_picture.py``.

Left: distance of each smooth rule's wealth from the hard one's, path by path, as its gates narrow. Right: spread over paths of the derivative of
wealth by the rule's threshold as the horizon is cut into more dates; in black that of a stop-loss by a product of gates.
"""

from pathlib import Path

import matplotlib
from test_gates import DATED, RULES, UNGATED, gaps, slopes

PICTURE = Path(__file__).resolve().parent.parent / "notebooks" / "pictures" / "gates.png"
WIDTHS = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5)
DATES = (50, 125, 250, 500, 1000, 2000, 4000)
DASHES = ("-", "--", ":")


def main() -> None:
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10.0, 4.0), layout="constrained")
    found, spread = gaps(WIDTHS), [slopes(steps, paths=2048) for steps in DATES]
    for k, name in enumerate(RULES):
        look = {"color": f"C{k % 10}", "linestyle": DASHES[k // 10], "label": name}
        if name not in UNGATED:
            left.loglog(WIDTHS, found[name], **look)
        if name in DATED:
            right.loglog(DATES, [float(one[name].std()) for one in spread], **look)
    right.loglog(DATES, [float(one["product"].std()) for one in spread], "k", linewidth=2.0, label="a product")
    left.set(xlabel="width of the gates", ylabel="mean |smooth - hard| wealth", title="Smooth tends to hard")
    right.set(xlabel="dates of a year", ylabel="sd of d wealth / d threshold", title="Derivatives do not grow with the dates")
    lines = {line.get_label(): line for axis in (left, right) for line in axis.get_lines()}
    right.legend(lines.values(), lines, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    for axis in (left, right):
        axis.grid(alpha=0.3)
    figure.savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    main()
