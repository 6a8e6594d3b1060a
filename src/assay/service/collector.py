"""What would hold the service's event loop up while a hundred thousand scenarios come and go."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


class Collector:
    """Python's garbage collector: a round over all scenarios of a batch takes every thread some hundred
    milliseconds, and while they are read one round follows the other. They hold no cycles.
    """

    def __init__(self) -> None:
        self._still = 0

    @contextmanager
    def still(self) -> Iterator[None]:
        """No round begins while any of those who ask for it is inside."""
        self._still += 1
        gc.disable()
        try:
            yield
        finally:
            self._still -= 1
            if not self._still:
                gc.enable()

    def spare(self) -> None:
        """What there is by now is left out of the rounds to come."""
        gc.freeze()

    def take_back(self) -> None:
        """What was left out is looked at again."""
        gc.unfreeze()
