"""Weights on this machine, by transformers: requests that wait are answered together, off the loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import monotonic_ns
from typing import TYPE_CHECKING

from msgspec import structs

from assay.errors import CallError, ErrorClass, UsageError
from assay.message import Arrivals, Finish, Instants, Kind, Reply, Request, Usage
from assay.ports import Capabilities, OnRead

if TYPE_CHECKING:  # torch is imported where weights are loaded
    from assay.models.local_reply import Row
    from assay.models.local_weights import LocalWeights

CAPABILITIES = Capabilities(tools=False, json_object=False, json_schema=False, likelihood=True)

MOST_TOKENS = 32_768
"""Prompt and reply tokens, padding included, that are answered together."""

CLOSED = "the model was closed"

DEFAULT_TOKENS = 512
"""Tokens of a reply where neither the request nor the model's own configuration bounds it."""


class Job:
    """A request that waits or is being answered. `left` is true once nobody waits for it."""

    __slots__ = ("asked", "first", "future", "left", "on_read", "prompt", "request", "target")

    def __init__(self, request: Request, on_read: OnRead | None, future: asyncio.Future[Reply]) -> None:
        self.request = request
        self.on_read = on_read
        self.future = future
        self.left = False
        self.asked = monotonic_ns()
        self.first = 0
        self.prompt: list[int] = []
        self.target: list[int] = []


class HuggingFaceModel:
    """One folder of weights, with an adapter over it or without.

    A single thread of its own works; the loop never waits for it. While it answers some requests
    others collect, and go together as far as they fit. Weights are loaded once, by `load` or the
    first request. `batch` bounds how many are answered together; a GPU that runs out of memory
    halves it. Times are stamped when a token is chosen.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        adapter: Path | None = None,
        device: str | None = None,
        dtype: str | None = None,
        batch: int = 16,
        fingerprint: str | None = None,
    ) -> None:
        self._name = name
        self._where = (folder, adapter, device, dtype)
        self._batch = batch
        self.fingerprint = fingerprint
        self._thread = ThreadPoolExecutor(1, "weights")
        self._weights: LocalWeights | None = None
        self._waiting: deque[Job] = deque()
        self._working: asyncio.Task[None] | None = None
        self._closing = False

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    async def load(self) -> None:
        """Loads the weights. Raises UsageError where they cannot be."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._loaded)
        except Exception as failure:
            detail = f"{type(failure).__name__}: {failure}".splitlines()[0][:300]
            raise UsageError(
                f"{self._name} cannot be loaded: {detail}",
                fix="name a folder that save_pretrained of model and tokenizer wrote",
            ) from failure

    async def ask(self, request: Request, on_read: OnRead | None = None) -> Reply:
        """One reply, or with `request.continuation` the log-probabilities of that text's tokens.

        Raises CallError: REJECTED for what local weights cannot be asked, CONTEXT_OVERFLOW,
        OVERLOADED where memory runs out, PROVIDER_ERROR for what else breaks.
        """
        _check_carried(self._name, request)
        job = Job(request, on_read, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        try:
            return await job.future
        finally:
            job.left = True

    async def close(self) -> None:
        """Ends what is being answered and frees the weights."""
        self._closing = True
        if self._working is not None:
            await self._working
        if self._weights is not None:
            weights, self._weights = self._weights, None
            await asyncio.get_running_loop().run_in_executor(self._thread, weights.free)
        self._thread.shutdown(wait=False)

    async def _work(self) -> None:
        """Answers what waits, a batch at a time, until nothing does."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            await loop.run_in_executor(self._thread, self._round, loop)

    def _loaded(self) -> LocalWeights:
        if self._weights is None:
            from assay.models.local_weights import LocalWeights

            self._weights = LocalWeights(*self._where)
        return self._weights

    def _round(self, loop: asyncio.AbstractEventLoop) -> None:
        """In the thread: takes the requests that go together, and answers them."""
        jobs: list[Job] = []
        try:
            weights = self._loaded()
            jobs = self._together(weights, loop)
            if jobs and jobs[0].request.continuation is not None:
                self._weigh(weights, jobs[0], loop)
            elif jobs:
                self._generate(weights, jobs, loop)
        except Exception as failure:  # noqa: BLE001  torch raises what it likes; each becomes its calls' record
            error = self._failure(failure, len(jobs))
            for job in jobs or self._drained():
                _tell(loop, job, error)

    def _drained(self) -> list[Job]:
        """All that wait, where the weights themselves cannot be had."""
        jobs = list(self._waiting)
        self._waiting.clear()
        return jobs

    def _failure(self, failure: Exception, together: int) -> Exception:
        if isinstance(failure, CallError):
            return failure
        detail = f"{type(failure).__name__}: {failure}"[:500]
        if type(failure).__name__ == "OutOfMemoryError":
            self._batch = max(1, together // 2)
            return CallError(ErrorClass.OVERLOADED, f"{together} requests together: {detail}")
        return CallError(ErrorClass.PROVIDER_ERROR, detail)

    def _together(self, weights: LocalWeights, loop: asyncio.AbstractEventLoop) -> list[Job]:
        """The first that waits, and those behind it that fit beside it, in their order."""
        taken: list[Job] = []
        longest = most = 0
        while self._waiting and len(taken) < self._batch:
            job = self._waiting[0]
            try:
                limit = self._prepared(weights, job)
            except CallError as error:
                self._waiting.popleft()
                _tell(loop, job, error)
                continue
            alone = job.request.continuation is not None
            longest, most = max(longest, len(job.prompt)), max(most, limit)
            beyond = weights.context is not None and longest + most > weights.context
            if taken and (alone or beyond or (longest + most) * (len(taken) + 1) > MOST_TOKENS):
                break
            self._waiting.popleft()
            if not job.left:
                taken.append(job)
                if alone:
                    break
        return taken

    def _prepared(self, weights: LocalWeights, job: Job) -> int:
        if self._closing:
            raise CallError(ErrorClass.TRANSPORT, CLOSED)
        return _prepare(weights, job)

    def _weigh(self, weights: LocalWeights, job: Job, loop: asyncio.AbstractEventLoop) -> None:
        logprobs = weights.logprobs(job.prompt, job.target)
        usage = Usage(len(job.prompt) + len(job.target), 0, source="tokenizer")
        at = monotonic_ns()
        reply = Reply(finish=Finish.STOP, usage=usage, logprobs=tuple(logprobs), fingerprint=self.fingerprint)
        _tell(loop, job, _timed(reply, job, at))

    def _generate(self, weights: LocalWeights, jobs: list[Job], loop: asyncio.AbstractEventLoop) -> None:
        from assay.models.local_reply import Row

        rows = [Row(job.request, job.prompt, weights, _limit(weights, job)) for job in jobs]

        def chosen(place: int) -> bool:
            """After each token of a row: shows it, and settles the row that has ended with it."""
            job, row = jobs[place], rows[place]
            at = monotonic_ns()
            job.first = job.first or at
            if job.request.stream:
                row.arrived(at)
            if job.on_read is not None and row.fresh:
                _soon(loop, job.on_read, row.fresh)
            if row.finish is not None:
                _tell(loop, job, _timed(self._reply(job, row, at), job, at))
            return row.finish is not None or job.left or self._closing

        weights.generate(rows, chosen)
        for job in jobs:
            _tell(loop, job, CallError(ErrorClass.TRANSPORT, CLOSED))

    def _reply(self, job: Job, row: Row, at: int) -> Reply:
        arrivals = row.arrivals
        if not job.request.stream:
            arrivals = Arrivals()
            arrivals.append(at, int(Kind.CONTENT | Kind.USAGE | Kind.FINISH), len(row.text), 1)
        return Reply(
            text=row.text,
            finish=row.finish or Finish.UNKNOWN,
            usage=Usage(len(job.prompt), len(row.tokens), source="tokenizer"),
            fingerprint=self.fingerprint,
            arrivals=arrivals,
        )


def _check_carried(name: str, request: Request) -> None:
    for wanted, what in (
        (bool(request.tools), "tools"),
        (request.format != "text", f"response format {request.format}"),
        (request.sampling.reasoning_effort is not None, "a reasoning effort"),
    ):
        if wanted:
            raise CallError(ErrorClass.REJECTED, f"{name} cannot be asked with {what}")


def _prepare(weights: LocalWeights, job: Job) -> int:
    """Tokenizes the request, once; gives the most tokens that may follow. Raises CallError."""
    if not job.prompt:
        job.prompt = weights.prompt(job.request.messages)
        if job.request.continuation is not None:
            job.target = weights.tokens(job.request.continuation)
            if not job.target:
                raise CallError(ErrorClass.REJECTED, "the text whose likelihood is asked has no token")
        if not job.prompt:
            raise CallError(ErrorClass.REJECTED, "the prompt has no token")
    length = len(job.prompt) + len(job.target)
    if weights.context is not None and length + (not job.target) > weights.context:
        detail = f"the prompt has {length} tokens, the model's context {weights.context}"
        raise CallError(ErrorClass.CONTEXT_OVERFLOW, detail)
    return _limit(weights, job)


def _limit(weights: LocalWeights, job: Job) -> int:
    if job.request.continuation is not None:
        return len(job.target)
    given = job.request.sampling.max_tokens
    most = given if given is not None else weights.max_tokens or DEFAULT_TOKENS
    return most if weights.context is None else min(most, weights.context - len(job.prompt))


def _timed(reply: Reply, job: Job, at: int) -> Reply:
    instants = Instants(
        connected=job.asked, sent=job.asked, headers=job.first or at, ended=at, clock="read", reused=True
    )
    return structs.replace(reply, instants=instants)


def _tell(loop: asyncio.AbstractEventLoop, job: Job, outcome: Reply | Exception) -> None:
    """Settles a request from the thread, unless it is settled or nobody waits for it."""

    def settle() -> None:
        if job.future.done():
            return
        if isinstance(outcome, Exception):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(outcome)

    _soon(loop, settle)


def _soon(loop: asyncio.AbstractEventLoop, act: Callable[..., None], *arguments: str) -> None:
    with suppress(RuntimeError):  # the loop has been closed: nobody waits any more
        loop.call_soon_threadsafe(act, *arguments)
