"""What the service answers: the fields of the classic service under their names, then ours beside them."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from assay.store.batches import BatchState, Outcome


class Health(Struct, frozen=True):
    """The service is there."""

    status: str
    service: str
    version: str


class Refused(Struct, frozen=True):
    """One fault of what was sent: a JSON pointer into it (RFC 6901), what is wrong, and the remedy."""

    pointer: str
    detail: str
    fix: str


class Problem(Struct, frozen=True, omit_defaults=True):
    """Why a request was refused (RFC 9457); `errors` name each place."""

    type: str
    title: str
    status: int
    detail: str
    fix: str = ""
    errors: tuple[Refused, ...] = ()


class Launched(Struct, frozen=True):
    """A batch was accepted; with `?partial=1` without the scenarios that `refused` names."""

    batch_id: str
    status: str
    total_scenarios: int
    run_id: str
    refused: tuple[Refused, ...] = ()


class BatchStatus(Struct, frozen=True, kw_only=True):
    """Where a batch stands. `progress` (0 to 100) is the share of conversations that have ended; a
    scenario has ended when all its repeats have. `running` is how many are in play, `not_run` how many
    were left when the batch ended; `invalid` of the failed ones were spoilt (by the customer, the
    webhook, a tool), `unscored` of the completed ones have no verdict. `cost_usd` is None where no
    price is known. `resumable` says that what is left would be played.
    """

    batch_id: str
    status: BatchState
    progress: float
    total_scenarios: int
    completed_scenarios: int
    failed_scenarios: int
    skipped_scenarios: int
    created_at: str
    started_at: str | None
    completed_at: str | None
    run_id: str
    outcome: Outcome | None
    total_trials: int
    completed: int
    failed: int
    skipped: int
    invalid: int
    unscored: int
    running: int
    queued: int
    not_run: int
    cost_usd: Decimal | None
    tokens: int
    rate_per_min: float | None
    eta_s: float | None
    last_error: str | None
    resumable: bool
    config_hash: str
    prompt_version: str | None


class Result(Struct, frozen=True):
    """One conversation; the columns that stand beside these are in docs/service.md."""

    session_id: str
    scenario: str
    status: str
    score: float | None
    comment: str | None
    total_turns: int
    duration_seconds: float
    prompt_version: str | None


class Results(Struct, frozen=True):
    """A batch's conversations; `partial` while more may come."""

    batch_id: str
    results: list[Result]
    total_results: int
    partial: bool = False


class Spent(Struct, frozen=True):
    """What one role, or one model, used and cost."""

    requests: int
    failed_requests: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_usd: Decimal | None
    unpriced_calls: int


class BatchCost(Struct, frozen=True):
    """What a batch cost: every attempt counts, failed ones, discarded lines and the evaluator's too.

    A cost is None where no call of it has a known price; `unpriced_calls` ended without one,
    `unknown_calls` have no end on record and may have been billed.
    """

    batch_id: str
    total_cost_usd: Decimal | None
    total_tokens: int
    total_requests: int
    average_cost_per_request: Decimal | None
    by_role: dict[str, Spent]
    by_model: dict[str, Spent]
    unpriced_calls: int
    unknown_calls: int
    price_table_date: str
    partial: bool


class BatchLine(Struct, frozen=True):
    """A batch in the list."""

    batch_id: str
    status: BatchState
    total_scenarios: int
    created_at: str
    run_id: str
    outcome: Outcome | None


class BatchList(Struct, frozen=True):
    """Batches, newest first; `total_count` is of all of them."""

    batches: list[BatchLine]
    total_count: int
