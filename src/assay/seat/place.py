"""A role of a run, filled with a model: what its seats have in common over all trials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from assay.message import Request, Sampling, Usage
from assay.ports import Capabilities, Model
from assay.seat.endpoint import Endpoint
from assay.seat.lane import Lane
from assay.seat.retry import Retry

Price = Callable[[Usage], Decimal | None]
WorstCase = Callable[[Request], Decimal | None]


def unpriced(_: object) -> Decimal | None:
    """The price of a model that no table knows."""
    return None


@dataclass(frozen=True, slots=True)
class Place:
    """`name` is the model as the plan names it; `price` gives dollars for a usage.

    `lane` is what its calls pass: places of one model on one endpoint share it. `worst_case` bounds
    the dollars of a request before it is sent; None where it cannot be told. `seeded` says whether
    requests carry the trial's seed; `sent` is what else the model was told to send with each, for
    the play key.
    """

    role: str
    name: str
    model: Model
    lane: Lane
    sampling: Sampling = Sampling()
    retry: Retry = Retry()
    price: Price = unpriced
    worst_case: WorstCase = unpriced
    stream: bool = False
    seeded: bool = True
    sent: tuple[str, ...] = ()

    @property
    def endpoint(self) -> Endpoint:
        return self.lane.endpoint

    @property
    def capabilities(self) -> Capabilities:
        return self.model.capabilities
