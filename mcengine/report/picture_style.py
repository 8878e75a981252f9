"""The one style of all pictures: a colour, a dash and a marker for each policy, titles that say what was run, figures that show in notebooks.

A policy looks the same in every picture, whatever stands beside it: its style is looked up by its name, never dealt out in an order. Twelve colours,
of which any two differ by more than 21 in CIELAB, as seen by a trichromat and as by a deuteranope (Machado, Oliveira & Fernandes 2009, equation of
full severity); policies that share one differ by dash and marker.
"""

import zlib
from typing import Any, NamedTuple

import numpy as np

PALETTE = (
    "#000000",
    "#0072B2",
    "#D55E00",
    "#66CCAA",
    "#BB6699",
    "#887766",
    "#EEBB77",
    "#992200",
    "#662233",
    "#FFAAEE",
    "#7799FF",
    "#004455",
)
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (6, 1.5, 1, 1.5)), (0, (1, 1)))
MARKERS = "osD^vPX*<>ph"
FLOOR, SEEN, MODEL, MUTED = "#B22222", "#7F7F7F", "#0072B2", "#999999"

_FAMILIES = (  # a colour each; by dash
    ("unhedged", "buy_and_hold", "rebalanced", "cash"),
    ("cppi", "cppi_on_dates", "neural_cppi", "after"),
    ("stop_loss", "stop_loss_reentry", "forward_overlay", "before"),
    ("vol_target", "vol_target_cppi", "minimum_variance"),
    ("rolled_put", "delta_put", "event_overlay", "overlay_book"),
    ("hedged_put", "option_book", "greek_targets", "delta_hedged"),
    ("static_put", "put_spread", "ratchet_put"),
    ("obpi", "synthetic_put", "locked_floor"),
    ("collar", "barrier_put", "contract_overlay"),
    ("gamma_scalping", "variance_trade", "variance_swap"),
    ("tipp", "drawdown_control", "deep_hedge"),
    ("ladder", "adaptive_hedge", "cross_asset"),
)


class Style(NamedTuple):
    """How a policy is drawn.

    Args:
        colour: Of lines, areas and markers.
        dash: Of lines, as matplotlib's ``linestyle``.
        marker: Of points.
    """

    colour: str
    dash: Any
    marker: str


def _made(family: int, member: int) -> Style:
    return Style(PALETTE[family], DASHES[member], MARKERS[(family + 5 * member) % len(MARKERS)])


STYLES = {name: _made(k, member) for k, names in enumerate(_FAMILIES) for member, name in enumerate(names)}
"""Of the policies of ``conf/policy`` and of what they are compared with."""


def style(book: str) -> Style:
    """A policy's style, whatever floor its book's name ends in. A name that is not known gets one by its letters, dotted.

    Args:
        book: Name of the policy.
    """
    policy = book.split(" ")[0]
    return STYLES.get(policy) or _made(zlib.crc32(policy.encode()) % len(PALETTE), len(DASHES) - 1)


def colour(book: str) -> str:
    """A policy's colour, whatever floor its book's name ends in.

    Args:
        book: Name of the policy.
    """
    return style(book).colour


def label(book: str) -> str:
    """A policy's name as it is written in pictures, without its floor.

    Args:
        book: Name of the policy.
    """
    words = {"cppi": "CPPI", "tipp": "TIPP", "obpi": "OBPI", "vol": "volatility"}
    return " ".join(words.get(word, word) for word in book.split(" ")[0].split("_"))


def bars(key: str, value: Any, half_width: Any) -> list[Any]:
    """How far error bars reach below and above a figure, in its unit; a probability is never below 0.

    Args:
        key: Of the figure, as in ``engine.METRICS``.
        value: One, or an array.
        half_width: Of its interval.

    Returns:
        [below, above], as matplotlib's ``yerr`` and ``xerr`` take them.
    """
    probability = key.startswith(("breach", "ruined", "share_"))
    return [np.minimum(half_width, value) if probability else half_width, half_width]


def titled(figure: Any, title: str, about: str = "") -> Any:
    """The figure with its title, and below it what was run: market, paths, seed.

    Args:
        figure: A matplotlib ``Figure``.
        title: What it shows.
        about: As ``engine.summarise`` has it.
    """
    figure.suptitle(f"{title}\n{about}" if about else title, fontsize=11)
    return figure


def panels(size: tuple[float, float], rows: int = 1, columns: int = 1, **options: Any) -> tuple[Any, list[Any]]:
    """A figure made without pyplot, which shows in notebooks, and its axes.

    Args:
        size: Width and height, inches.
        rows: Of axes.
        columns: Of axes.
        **options: Of ``Figure.subplots``.
    """
    from mcengine.report.picture import Picture

    figure = Picture(figsize=size, layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False, **options).flat)


def grid(axis: Any) -> None:
    """A light grid behind what is drawn, without a box around.

    Args:
        axis: A matplotlib ``Axes``.
    """
    axis.grid(color="#DDDDDD", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
