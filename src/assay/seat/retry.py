"""How long to wait before the next attempt, and when to give up."""

from __future__ import annotations

from random import Random

from msgspec import Struct

from assay.errors import CallError


class Retry(Struct, frozen=True, forbid_unknown_fields=True):
    """Exponential backoff with full jitter; what the server asks for wins, up to `cap`.

    `retries` attempts after the first; `base` and `cap` in seconds.
    """

    retries: int = 3
    base: float = 1.0
    cap: float = 300.0

    def wait(self, failure: CallError, tried: int, draw: Random) -> float | None:
        """Seconds until the next attempt after `tried` of them, None to give up.

        Full jitter: uniform in [0, min(cap, base * 2^(tried - 1))] (M. Brooker, "Exponential
        backoff and jitter"). A server's wish is kept, with up to a tenth more so that all those
        who were told the same do not come back together; one beyond the cap gives up.
        """
        if not failure.error.retryable or tried > self.retries:
            return None
        if failure.retry_after is not None:
            if failure.retry_after > self.cap:
                return None
            return failure.retry_after * (1 + draw.random() / 10)
        ceiling: float = min(self.cap, self.base * 2 ** (tried - 1))
        return draw.uniform(0, ceiling)
