"""Peers in a process of their own: plain JAX without mcengine's compiler flags, and pfhedge with the packages it needs.

A process is started on first use, reads one JSON line a run and answers with one; the time of a run is taken here, the line's way included.
"""

import atexit
import json
import subprocess
import sys
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import peers

HERE = Path(__file__).parent
PFHEDGE = HERE.parents[1] / ".venv-pfhedge"


class Process:
    """A script that answers JSON lines, run by an interpreter. Raises ``PeerMissingError`` when it ends before it is ready."""

    def __init__(self, python: Path | str, script: str) -> None:
        self.name = script
        self.process = subprocess.Popen(
            [str(python), str(HERE / script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        atexit.register(self.close)
        if self._line() != "ready":
            raise peers.PeerMissingError(f"{script}: did not start: {self._trouble()}")

    def ask(self, **task: Any) -> dict[str, Any]:
        """One run."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        answer = self._line()
        if not answer:
            raise OSError(f"{self.name}: ended: {self._trouble()}")
        return json.loads(answer)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def _trouble(self) -> str:
        self.process.wait()
        assert self.process.stderr is not None
        return (self.process.stderr.read().strip().splitlines() or ["no message"])[-1]


@lru_cache
def _jax() -> Process:
    return Process(sys.executable, "serve_jax.py")


@lru_cache
def _pfhedge() -> Process:
    python, log = PFHEDGE / "bin" / "python", PFHEDGE / "install.log"
    if not python.is_file():
        raise peers.PeerMissingError("pfhedge: its environment is not there (make bench-pfhedge makes it)")
    try:
        return Process(python, "serve_pfhedge.py")
    except peers.PeerMissingError as error:
        said = log.read_text().strip().splitlines() if log.is_file() else []
        raise peers.PeerMissingError("; ".join([str(error), *said[-1:]])) from None


def jax_basket(terms: Any, paths: int, seed: int) -> dict[str, Any]:
    """Basket calls by a scan over ``jax.random.normal``."""
    return _jax().ask(paths=paths, seed=seed, **asdict(terms))


def pfhedge_heston(terms: Any, paths: int, seed: int) -> dict[str, Any]:
    """A Heston call by ``generate_heston``."""
    return _pfhedge().ask(work="heston", paths=paths, seed=seed, **asdict(terms))


def pfhedge_case(terms: Any, paths: int, seed: int) -> dict[str, Any]:
    """Entropic risk of a call hedged in Whalley and Wilmott's band."""
    return _pfhedge().ask(work="case", paths=paths, seed=seed, **asdict(terms))
