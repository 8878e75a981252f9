"""The benchmark's workloads by name, each ``run(bench) -> line``; a new one is a module here, a yaml in conf/workload and a line below."""

from collections.abc import Callable
from typing import Any

from workloads import asian_barrier, basket8, books, cppi4, heston, joint8, memory, pfhedge_case, scaling, study_book, time_to_error
from workloads.timing import Bench

WORKLOADS: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "basket8": basket8.run,
    "asian_barrier": asian_barrier.run,
    "heston": heston.run,
    "joint8": joint8.run,
    "hedged": study_book.hedged,
    "hedged_gradient": study_book.hedged_gradient,
    "pfhedge_case": pfhedge_case.run,
    "cppi4": cppi4.run,
    "study_book": study_book.study_book,
    "study_book_gradient": study_book.study_book_gradient,
    **books.WORKLOADS,
    "time_to_error": time_to_error.run,
    "scaling": scaling.run,
    "memory": memory.run,
}

__all__ = ["WORKLOADS", "Bench"]
