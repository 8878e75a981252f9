"""What the room reads of a study: ``Study`` itself stands on top, and everything below it knows this type."""

import abc
from typing import Any

from mcengine._model import Scalar
from mcengine.pricing import Calendar
from mcengine.statistics import Sampling


class AbstractStudy(abc.ABC):
    """A market, policies by name, costs, dates and recorders; see ``Study`` for each."""

    market: Any
    policy: Any
    costs: Any
    years: Scalar
    steps: int
    wealth: Scalar
    delay: int
    width: Scalar
    pricers: Any
    noise: Any
    recorders: tuple[Any, ...]
    year_steps: int

    @property
    @abc.abstractmethod
    def books(self) -> dict[str, Any]:
        """Policies by name."""

    @property
    @abc.abstractmethod
    def calendar(self) -> Calendar:
        """The study's dates."""

    @property
    @abc.abstractmethod
    def discount(self) -> float:
        """What 1 at the horizon is worth today."""

    @property
    @abc.abstractmethod
    def sampling(self) -> Sampling:
        """How paths depend on each other."""

    @abc.abstractmethod
    def run(self, paths: int, **options: Any) -> Any:
        """Simulate.

        Args:
            paths: Number of paths.
            options: As of ``engine.run``.
        """

    @abc.abstractmethod
    def available(self, paths: int, first: int = 0) -> int:
        """How many of the paths asked for there are: history has only so many windows.

        Args:
            paths: Number of paths asked for.
            first: Id of the first one.

        Raises:
            ValueError: Where there is none.
        """
