"""``trace``: chosen paths run again with everything recorded. The outcome is bit for bit that of the run."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from mcengine.engine import program
from mcengine.engine.checks import check_ids
from mcengine.engine.path import tied
from mcengine.engine.prepared import PreparedStudy
from mcengine.engine.summary import summarise
from mcengine.instrument import AroundEvent
from mcengine.noise import Path, make_key, split_ids
from mcengine.policy import LadderMemory


def _run(study: Any, ids: Sequence[int], seed: int, stream: str) -> tuple[Any, Any, Any]:
    wanted = np.asarray(list(ids), np.uint64)
    padding = (-len(wanted)) % program.PAD
    padded = np.concatenate([wanted, np.repeat(wanted[-1:], padding)])
    high, low = split_ids(padded)
    prepared = PreparedStudy(study, make_key(seed, stream))

    def fn(study: Any, key: jax.Array, high: jax.Array, low: jax.Array) -> Any:
        return program.over_devices(lambda s, k, h, w: program.simulate_block(s, k, Path(h, w), trace=True), 1)(study, key, high, low)

    arguments = (prepared.tabulated, prepared.key, high, low)
    call = program.compiled(("trace", len(padded)), fn, *arguments).call
    outcomes, first, records = jax.tree.map(lambda a: np.asarray(a)[: len(wanted)], call(*arguments))
    return outcomes, first, records


def outcomes(study: Any, ids: Sequence[int], *, seed: int = 0, stream: str = "test") -> Any:
    """Outcomes of the traced paths, ``{book: {figure: array}}``."""
    return _run(study, ids, seed, stream)[0]


def trace(study: Any, ids: Sequence[int] | int, *, seed: int = 0, stream: str = "test") -> Any:
    """Chosen paths run again with everything recorded; their outcomes are bit for bit those of the run.

    Args:
        study: What is simulated.
        ids: Of the paths, or one of them.
        seed: Of the run.
        stream: Of the run.

    Returns:
        A pandas table by (path, step): of every asset spot and variance, of every book wealth, cash, exposure and costs, each slot's units, price,
        terms and Greeks, levels of ladders, and what recorders show. Row 0 is before the first trade; row k shows what was held over step k, marked
        at its end, what expired then settled. ``attrs["about"]`` says in a line what was run.

    Raises:
        ValueError: Without ids.
    """
    import pandas as pd

    ids = check_ids([ids] if isinstance(ids, int | np.integer) else list(ids))
    if not ids:
        raise ValueError("trace: expected at least one path id, got none")
    _, first, records = _run(study, ids, seed, stream)
    states, signals, books = jax.tree.map(lambda a, b: np.concatenate([np.asarray(a)[:, None], np.asarray(b)], axis=1), first, records)
    columns: dict[str, np.ndarray] = {}
    spots: dict[str, np.ndarray] = {}
    for name in study.market.assets:
        spot, variance = study.market.observe(name, states)
        spots[name] = spot
        columns[f"{name}.spot"], columns[f"{name}.variance"] = spot, np.broadcast_to(np.asarray(variance), spot.shape)
    for name, policy in study.books.items():
        prefix = f"{name}." if len(study.books) > 1 else ""
        columns |= {prefix + key: value for key, value in _book_columns(books[name], spots, policy.slots(), study, states.get("place")).items()}
    columns |= {f"signal.{name}": np.asarray(signal.value(signals[name])) for name, signal in tied(study.books).items()}
    steps = study.steps + 1
    index = pd.MultiIndex.from_product([ids, range(steps)], names=["path", "step"])
    table = pd.DataFrame({key: np.asarray(value, np.float64).reshape(-1) for key, value in columns.items()}, index=index)
    if hasattr(study.market, "dates"):
        table.insert(0, "date", study.market.dates(states).reshape(-1))
    table.attrs["about"] = summarise(study, seed=seed)
    table.insert(0, "time", np.tile(np.arange(steps) * float(study.years) / study.steps, len(ids)))
    return table


def _expiries(schedule: Any, study: Any, places: np.ndarray | None) -> np.ndarray:
    """Of what is held over each step, [steps + 1] or [paths, steps + 1]; 0 before the first."""
    if not isinstance(schedule, AroundEvent):
        return np.concatenate([[0], schedule.dates(study.steps, study.delay).held.expiry])
    assert places is not None
    rows, steps = study.market.event_rows(schedule.event), np.arange(study.steps)
    at = lambda place, step: schedule.on_path(rows, place, step, study.delay).held.expiry  # noqa: E731
    held = jax.vmap(jax.vmap(at), (0, None))(places[:, :-1], steps)
    return np.concatenate([np.zeros((len(places), 1)), np.asarray(held)], axis=1)


def _book_columns(book: Any, spots: dict[str, np.ndarray], slots: dict[str, Any], study: Any, places: np.ndarray | None) -> dict[str, np.ndarray]:
    account = book.account
    with np.errstate(all="ignore"):  # a broken path is traced to be looked at
        sleeve = sum(account.held[name].units * spots[name] for name in spots)
        exposure = np.where(account.wealth <= 0.0, 0.0, sleeve / account.wealth)  # of a ruined book nothing
    out = {"wealth": account.wealth, "cash": account.cash, "exposure": exposure, "high_water": account.high_water}
    out |= {f"cost_{name}": paid for name, paid in account.costs.items()}
    for name in spots:
        out[f"{name}.units"] = account.held[name].units
    for name, slot in slots.items():
        held = account.held[name]
        out[f"{name}.units"] = held.units
        if slot.schedule is None:
            continue
        out[f"{name}.price"] = held.mark.price
        out |= {f"{name}.{key}": value for key, value in slot.by_name(held.terms).items()}
        out[f"{name}.expiry"] = np.broadcast_to(_expiries(slot.schedule, study, places), account.wealth.shape)
        for greek, found in held.mark.greeks.items():
            each = {f".{asset}": value for asset, value in found.items()} if isinstance(found, dict) else {"": found}
            out |= {f"{name}.{greek}{key}": value for key, value in each.items()}
    ladders = [m for m in jax.tree.leaves(book.memory, is_leaf=lambda m: isinstance(m, LadderMemory)) if isinstance(m, LadderMemory)]
    for k, ladder in enumerate(ladders):
        out |= {f"level_{rung}{f'_{k + 1}' if k else ''}": level.weight for rung, level in ladder.levels.items()}
    for one, state in zip(study.recorders, book.recorded, strict=True):
        out |= one.columns(state)
    return out


def first_not_finite(study: Any, path: int, *, seed: int, stream: str) -> str:
    """Where a path first stops being finite: ``step 17, equity.spot``."""
    table = trace(study, [path], seed=seed, stream=stream)
    table = table.drop(columns="date", errors="ignore")
    bad = ~np.isfinite(table.to_numpy())
    if not bad.any():
        return "in an outcome only"
    row = int(np.argmax(bad.any(axis=1)))
    names = [str(c) for c, b in zip(table.columns, bad[row], strict=True) if b]
    return f"at step {row} in {names[0]}" + (f" (and {len(names) - 1} more columns)" if len(names) > 1 else "")
