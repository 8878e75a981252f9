"""A policy in use: what it holds, orders and sees on each day of a feed; restartable, its decisions those of a back-test.

python experiments/monitor.py monitor.start=2008-01-02 monitor.folder=my_book
python experiments/monitor.py data=prices.csv market.assets=null monitor.start=2024-01-02 monitor.folder=my_book monitor.follow=true
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import _main

import mcengine as mc
from mcengine import _files, _yaml, report
from mcengine import config as configuration


def check(config: Any) -> None:
    """Refuse what a run would be refused for."""
    chosen = configuration.plain(config.monitor)
    if chosen["start"] is None:
        raise ValueError("monitor.start: expected a date like 2008-01-02, got nothing")
    if chosen["folder"] is None:
        raise ValueError("monitor.folder: expected a folder, where the book is kept from one day to the next, got nothing")
    if (target := str(config.market.get("_target_"))).startswith("mcengine.") and target != "mcengine.market.Replay.from_history":
        raise ValueError(f"market: expected replay, whose file is the feed, got {target}")
    configuration.build(config.policy)
    configuration.build(config.ledger)


@_main.main("monitor", check)
def main(config: Any, folder: report.RunFolder) -> tuple[dict[str, Any], dict[str, Any]]:
    check(config)
    chosen = configuration.plain(config.monitor)
    where = Path(chosen["folder"])
    monitor = mc.monitor.Monitor(
        configuration.build(config.policy),
        str(chosen["start"]),
        where,
        costs=configuration.build(config.ledger),
        years=configuration.number(config, "years"),
        steps=configuration.integer(config, "steps"),
        delay=configuration.integer(config, "delay"),
        wealth=float(chosen["wealth"]),
        gap=int(chosen["gap"]),
    )
    last: dict[str, Any] | None = None
    try:
        if chosen["book"] is not None:
            monitor.update(_feed(config), most=0)
            _put_in(monitor, Path(chosen["book"]), where / "days.jsonl")
        said = ""
        while True:
            try:
                days = monitor.update(_feed(config))
                said = ""
            except ValueError as error:
                if not chosen["follow"]:
                    raise
                days = []
                if str(error) != said:
                    said = str(error)
                    print(f"waiting: {said}", file=sys.stderr, flush=True)
            for day in days:
                last = day
                print(_line(day), flush=True)
            if days and not chosen["follow"]:
                continue  # a row after them may be refused
            if not chosen["follow"] or (last or {}).get("ended"):
                break
            time.sleep(float(chosen["poll"]))
    finally:
        monitor.close()
    print(_shown(last) if last is not None else f"no new day; the book stands at {monitor.date or 'no date yet'}", flush=True)
    print(f"{where / 'days.jsonl'}", flush=True)
    return {"date": monitor.date, **{key: last[key] for key in ("wealth", "cash", "step") if last is not None}}, {}


def _feed(config: Any) -> Any:
    market = configuration.market_of(config)
    if not isinstance(market, mc.market.Replay):
        raise ValueError(f"market: expected replay, whose file is the feed, got {type(market).__name__}")
    return market


def _put_in(monitor: mc.monitor.Monitor, file: Path, lines: Path) -> None:
    """Put the book of a file in place of what was ordered, once: a monitor started again with the same file has gone on from it."""
    book = _book(file)
    said = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()] if lines.exists() else []
    last = next((day for day in reversed(said) if "corrected" in day), None)
    if last is not None and all(last["corrected"].get(key) == value for key, value in book.items()):
        print(f"monitor.book: {file} was put in on {last['date']}, and is left out now; give other numbers to put in another book", flush=True)
        return
    monitor.correct(**book)


def _book(file: Path) -> dict[str, Any]:
    """The book as it really is. Raises ``ValueError`` for what is not {cash, units}."""
    found = _yaml.parse(_files.read(file, 1 << 20).decode("utf-8"))
    if not isinstance(found, dict) or not set(found) <= {"cash", "units"} or not isinstance(found.get("units", {}), dict):
        raise ValueError(f"monitor.book: expected cash and units by slot in {file}, as {{cash: 4000, units: {{equity: 4.5}}}}, got {found!r}")
    for key, value in {"cash": found.get("cash", 0.0), **found.get("units", {})}.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"monitor.book: expected a number for {key} in {file}, got {value!r}")
    return found


def _line(day: dict[str, Any]) -> str:
    orders = ", ".join(f"{name} {_order(order)}" for name, order in day.get("orders", {}).items()) or "nothing"
    said = [f"{name} {value:.2f}" for name, value in _fired(day).items() if value] + [f"{name} {_limit(one)}" for name, one in _limits(day).items()]
    return f"{day['date']}  wealth {day['wealth']:.6g}  orders {orders}" + (f"  [{', '.join(said)}]" if said else "")


def _order(order: dict[str, Any]) -> str:
    """In units and, in brackets, currency: above 0 is bought."""
    value = f"({order['value']:+.6g})"
    if "units" in order:
        return f"{order['units']:+.6g} {value}"
    return f"close {order['close']:.6g}, open {order['open']:.6g}{_terms(order)} {value}"


def _terms(order: dict[str, Any]) -> str:
    found = [f"{x:.6g}" for key, x in order.items() if key not in ("close", "open", "units", "value")]
    return f" at {', '.join(found)}" if found else ""


def _fired(day: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in day.get("told", {}).items() if not isinstance(value, dict)}


def _limits(day: dict[str, Any]) -> dict[str, dict[str, float]]:
    return {name: value for name, value in day.get("told", {}).items() if isinstance(value, dict)}


def _limit(one: dict[str, float]) -> str:
    return f"{one['share']:.4g} within {one['low']:.4g} to {one['high']:.4g}, headroom {one['headroom']:.4g}"


def _leaves(value: Any) -> list[float]:
    return list(value.values()) if isinstance(value, dict) else [value]


def _greek(value: Any) -> str:
    return ", ".join(f"{asset} {x:.6g}" for asset, x in value.items()) if isinstance(value, dict) else f"{value:.6g}"


def _shown(day: dict[str, Any]) -> str:
    rows = [f"\n{day['date']}, step {day['step']}: wealth {day['wealth']:.6g}, cash {day['cash']:.6g}"]
    for name, units in day.get("units", {}).items():
        price = day["prices"][name]
        order = _order(day["orders"][name]) if name in day["orders"] else "-"
        rows.append(f"  {name:<16} {units:>12.6g} units at {price:>10.6g}, worth {units * price:>10.6g}, order {order}")
    for name, value in day.get("greeks", {}).items():
        rows.append(f"  {name:<16} {_greek(value)}")
        parts = {bucket: greeks[name] for bucket, greeks in day["by_expiry"].items() if any(_leaves(greeks[name]))}
        rows += [f"    {'to ' + bucket if bucket != 'longer' else bucket:<14} {_greek(part)}" for bucket, part in parts.items()]
    if "gained" in day:
        rows.append(f"  {'gained':<16} " + ", ".join(f"{part} {value:+.6f}" for part, value in day["gained"].items() if value))
    rows += [f"  {name:<16} {_limit(one)}" for name, one in _limits(day).items()]
    rows += [f"  {name:<16} {value:.4g}" for name, value in _fired(day).items()]
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
