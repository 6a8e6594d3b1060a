"""Refusals as problem documents (RFC 9457)."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from http import HTTPStatus

import msgspec
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException, ValidationException

from assay.errors import StoreError, UsageError
from assay.loading.batches import Fault, TooMany, Unplayable
from assay.service.answers import Problem, Refused
from assay.store.batches import QueueFull

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 30
"""Seconds after which a full queue may have room."""

FAILED = "the service failed"

_LOG = logging.getLogger("assay.service")


class Refusal(Exception):
    """A request that is answered with a problem."""

    def __init__(self, status: int, detail: str, fix: str = "", errors: Iterable[Refused] = ()) -> None:
        super().__init__(detail)
        self.problem = problem(status, detail, fix, errors)


def problem(status: int, detail: str, fix: str = "", errors: Iterable[Refused] = ()) -> Problem:
    """The document of a refusal."""
    return Problem("about:blank", HTTPStatus(status).phrase, status, detail, fix, tuple(errors))


def refused(faults: Iterable[Fault]) -> tuple[Refused, ...]:
    """Faults as the service tells them."""
    return tuple(Refused(fault.pointer, fault.detail, fault.fix) for fault in faults)


def answer(request: Request[object, object, State], error: Exception) -> Response[bytes]:
    """What any error becomes: its own problem, or one that tells nothing of what is inside."""
    found = _problem(error)
    if found.status >= 500:
        _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    headers = {"Retry-After": str(RETRY_AFTER)} if found.status in (429, 503) else {}
    if isinstance(error, HTTPException) and error.headers:
        headers = {**error.headers, **headers}
    return Response(
        msgspec.json.encode(found), status_code=found.status, media_type=MEDIA_TYPE, headers=headers
    )


def _of_framework(error: HTTPException) -> Problem:
    """What the framework itself refuses; of a query, which parameter is wrong."""
    if not isinstance(error, ValidationException):
        return problem(error.status_code, error.detail if error.status_code < 500 else FAILED)
    wrong = error.extra if isinstance(error.extra, list) else []
    told = [f"{each.get('key')}: {each.get('message')}" for each in wrong if isinstance(each, dict)]
    return problem(422, "; ".join(told) or error.detail, "see the types in GET /api/openapi.json")


def _problem(error: Exception) -> Problem:
    if isinstance(error, Refusal):
        return error.problem
    if isinstance(error, HTTPException):
        return _of_framework(error)
    if isinstance(error, Unplayable):
        return problem(400, f"{error.problem}: nothing was accepted", error.fix, refused(error.faults))
    if isinstance(error, QueueFull):
        return problem(429, f"the queue is full: {error}", "post it again later, or cancel one that waits")
    if isinstance(error, UsageError):
        return problem(413 if isinstance(error, TooMany) else 400, error.problem, error.fix)
    held = isinstance(error, StoreError)
    detail = "the record cannot be written or read now" if held else FAILED
    return problem(503 if held else 500, detail, "try again later" if held else "see its log")
