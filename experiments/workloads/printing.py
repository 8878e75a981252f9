"""What a benchmark prints and draws: a table of every workload and peer, longer tables of scaling and of time to an error, bars."""

from collections.abc import Mapping, Sequence
from typing import Any

import mcengine as mc

HEADER = ["workload", "by", f"{'M asset-st/s':>12} {'path-years/s':>14} {'ratio':>8} {'median s':>8} {'compile':>8}   value ± error"]
APART = ("memory", "scaling", "time_to_error")
"""Workloads with tables of their own."""


def rows(line: Mapping[str, Any]) -> list[list[str]]:
    """A workload's part of the table: the engine, then its peers."""
    out = []
    for name, one in {"mcengine": line, **line["peers"]}.items():
        rate = f"{one['asset_steps_per_second'] / 1e6:12,.0f}" if "asset_steps_per_second" in one else " " * 12
        value = str(mc.Estimate(one["value"], one["standard_error"]))
        for other in ("price_a0", "average"):
            if other in one:
                value += f"  {other} " + str(mc.Estimate(one[other], one[f"{other}_standard_error"]))
        if "reference" in one:
            value += f"  (exact {one['reference']:.6g})"
        if abs(one.get("errors_apart", 0.0)) > 4.0:
            value += f"  {abs(one['errors_apart']):.0f} errors apart"
        ratio = f"{one['ratio']:7.2f}x" if "ratio" in one else " " * 8
        seconds = f"{one['seconds_median']:8.3f} {one['compile_seconds']:8.1f}"
        out.append(
            [line["workload"] if name == "mcengine" else "", name, f"{rate} {one['path_years_per_second']:14,.0f} {ratio} {seconds}   {value}"]
        )
    return out


def table(lines: Sequence[Mapping[str, Any]]) -> str:
    """Every workload and peer, ``ratio`` being mcengine's speed over the peer's, path for path."""
    body = [HEADER, *(row for line in lines if line["workload"] not in APART for row in rows(line))]
    main = ["\n".join(f"{a:<20} {b:<13} {c}".rstrip() for a, b, c in body)] if len(body) > 1 else []
    own = {"memory": memory, "scaling": scaling, "time_to_error": times}
    return "\n\n".join(main + [own[line["workload"]](line) for line in lines if line["workload"] in APART])


def memory(line: Mapping[str, Any]) -> str:
    peak = " · ".join(f"{float(mb):,.0f} MB at {int(paths):,} paths" for paths, mb in line["peak_megabytes"].items())
    return f"memory of study_book: {peak} ({line['growth']:+.1%})"


def scaling(line: Mapping[str, Any]) -> str:
    """Four short tables."""
    out = [f"{'paths':>14} {'seconds':>10} {'peak MB':>10}"]
    out += [f"{int(paths):>14,} {one['seconds']:>10.2f} {one['peak_megabytes']:>10,.0f}" for paths, one in line["by_paths"].items()]
    out += [f"time over linear {line['time_over_linear']:.2f}, memory {line['memory_growth']:+.1%}", ""]
    for key, word in (("by_steps", "steps"), ("by_assets", "assets")):
        out.append(f"{word:>14} {'M asset-st/s':>14} {'compile s':>10}")
        out += [f"{int(n):>14,} {one['asset_steps_per_second'] / 1e6:>14,.0f} {one['compile_seconds']:>10.1f}" for n, one in line[key].items()]
        out.append("")
    one, four = (line["tangents_over_forward"][count] for count in ("1", "4"))
    out.append(f"{line['cores']} cores over one: {line['all_cores_over_one']:.2f}x; forward run with 1 tangent {one:.2f}x, with 4 {four:.2f}x")
    return "scaling (basket8; tangents: hedged)\n" + "\n".join(out)


def times(line: Mapping[str, Any]) -> str:
    """Paths and seconds to the target error, by problem and method."""
    out = [f"{'to an error of':<30} {'by':<16} {'paths':>16} {'seconds':>10} {'fewer paths':>12}   value ± error at the paths run"]
    for name, problem in line["problems"].items():
        target = f"{name}, {problem['target']:.0e}" + (" of itself" if problem["relative"] else "")
        beside = line["peers"] if name == "asian_basket" else {}
        for method, one in {**problem["methods"], **beside}.items():
            value = mc.Estimate(one["value"], one["standard_error"])
            seconds = one["seconds"] + one.get("setup_seconds", 0.0)
            note = " (extrapolated)" if one["extrapolated"] else ""
            paths = f"{one['paths_to_error']:>16,.0f} {seconds:>10.3g} {one['fewer_paths']:>11.3g}x"
            out.append(f"{target:<30} {method:<16} {paths}   {value}{note}")
            target = ""
    return "time to an error\n" + "\n".join(out)


def picture(lines: Sequence[Mapping[str, Any]], title: str) -> Any:
    """Bars: workloads with peers in millions of asset-steps a second, each in its panel; mcengine's own in path-years a second."""
    from matplotlib.figure import Figure

    timed = [line for line in lines if line["workload"] not in APART]
    raced = [line for line in timed if line["peers"] and "asset_steps_per_second" in line]
    panels = len(raced) + 1
    columns = min(3, panels)
    height = -(-panels // columns)
    figure = Figure(figsize=(5.0 * columns, 2.6 * height + 0.6), layout="constrained")
    axes = figure.subplots(height, columns, squeeze=False).ravel()
    for axis, line in zip(axes, raced, strict=False):
        speeds = {"mcengine": line, **line["peers"]}
        notes = [
            f"  {_digits(one['asset_steps_per_second'] / 1e6)}" + (f"  ({one['ratio']:.3g}x)" if "ratio" in one else "") for one in speeds.values()
        ]
        _bars(axis, list(speeds), [one["asset_steps_per_second"] / 1e6 for one in speeds.values()], notes)
        axis.set_title(f"{line['workload']}: million asset-steps a second", fontsize=9)
    # The memory workload is study_book again, most of its paths streamed into statistics instead of kept.
    own = {
        "streamed" if line["workload"] == "memory" else line["workload"]: line["path_years_per_second"]
        for line in lines
        if line["workload"] != "time_to_error"
    }
    _bars(axes[len(raced)], list(own), [speed / 1e3 for speed in own.values()], [f"  {speed / 1e3:,.0f}" for speed in own.values()], all_ours=True)
    axes[len(raced)].set_title("mcengine: thousand path-years a second", fontsize=9)
    for axis in axes[panels:]:
        axis.axis("off")
    figure.suptitle(title, fontsize=9, color="#555555")
    return figure


def _digits(x: float) -> str:
    """Three digits, and none of the exponents that they would bring."""
    return f"{x:,.0f}" if x >= 100.0 else f"{x:.3g}"


def _bars(axis: Any, names: Sequence[str], lengths: Sequence[float], notes: Sequence[str], *, all_ours: bool = False) -> None:
    bars = axis.barh(names, lengths, color=["#0072B2" if all_ours or name == "mcengine" else "#BBBBBB" for name in names])
    axis.bar_label(bars, notes, fontsize=8)
    axis.invert_yaxis()
    axis.margins(x=0.3)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)
