"""The endpoints: each reads what was asked, and leaves the rest to the desk."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Annotated, Any, TypeAlias, cast

import msgspec
from litestar import Litestar, Request, Response, Router, delete, get, post
from litestar.config.cors import CORSConfig
from litestar.datastructures import State
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.params import Parameter
from litestar.plugins import OpenAPISchemaPlugin
from litestar.response import Stream

from assay import __version__
from assay.loading.batches import MOST_BYTES, PostedBatch
from assay.reports.scores import BatchSummary
from assay.service.answers import (
    BatchCost,
    BatchList,
    BatchStatus,
    Health,
    Launched,
    Problem,
    Results,
)
from assay.service.desk import Desk
from assay.service.problems import MEDIA_TYPE, Refusal, answer
from assay.service.settings import Settings
from assay.store.forms import Form, Format

Asked: TypeAlias = Request[Any, Any, State]
"""A request; nothing of it is read by its type."""

MEDIA = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
}
PIECE = 64 * 1024
"""Characters of results that are sent at once."""

MOST_LISTED = 1000
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class Answer(Response[object]):
    """JSON in which an amount of money is a number with all its digits."""

    def render(self, content: object, media_type: str, enc_hook: object = None) -> bytes:
        del media_type, enc_hook
        return content if isinstance(content, bytes) else _ENCODER.encode(content)


class Money(OpenAPISchemaPlugin):
    """Describes an amount of money as what `Answer` makes of it."""

    @staticmethod
    def is_plugin_supported_type(value: object) -> bool:
        return value is Decimal

    def to_openapi_schema(self, field_definition: object, schema_creator: object) -> Schema:
        del field_definition, schema_creator
        return Schema(type=OpenAPIType.NUMBER)


def _refusals(*statuses: int) -> dict[int, ResponseSpec]:
    return {
        status: ResponseSpec(Problem, generate_examples=False, description="Why not", media_type=MEDIA_TYPE)
        for status in statuses
    }


def _desk(request: Asked) -> Desk:
    return cast("Desk", request.app.state.desk)


@get("/health", summary="Whether the service is there")
async def health(request: Asked) -> Health:
    if not _desk(request).healthy:
        raise Refusal(503, "the worker has ended", "start the service again")
    return Health("healthy", "assay", __version__)


@post(
    "/batches",
    status_code=202,
    request_max_body_size=MOST_BYTES,
    responses=_refusals(400, 403, 413, 415, 422, 429),
    summary="Post a batch of scenarios",
)
async def launch(
    request: Asked,
    partial: str = "0",
    idempotency_key: Annotated[str | None, Parameter(header="Idempotency-Key")] = None,
) -> Launched:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" or request.headers.get("content-encoding", "identity") != "identity":
        raise Refusal(415, "the body must be plain JSON", "send it with Content-Type: application/json")
    only_valid = _switch("partial", partial)
    body = await request.body()
    return await _desk(request).accept(body, idempotency_key, partial=only_valid)


@get("/batches", summary="The batches, newest first", responses=_refusals(422))
async def batches(request: Asked, limit: int = MOST_LISTED, offset: int = 0) -> BatchList:
    _in_range("limit", limit, 1, MOST_LISTED)
    _in_range("offset", offset, 0, 1 << 40)
    return _desk(request).page(limit, offset)


@get("/batches/{id:str}", summary="Where a batch stands", responses=_refusals(404))
async def status(request: Asked, id: str) -> BatchStatus:
    return await _desk(request).status(id)


@get("/batches/{id:str}/summary", summary="What a batch came to", responses=_refusals(404))
async def summary(request: Asked, id: str) -> BatchSummary:
    return await _desk(request).summary(id)


@get("/batches/{id:str}/cost", summary="What a batch cost", responses=_refusals(404))
async def cost(request: Asked, id: str) -> BatchCost:
    return await _desk(request).cost(id)


@post(
    "/batches/{id:str}/cancel",
    status_code=200,
    summary="End a batch; its results stay",
    responses=_refusals(404),
)
async def cancel(request: Asked, id: str) -> BatchStatus:
    return await _desk(request).cancel(id)


@delete(
    "/batches/{id:str}", status_code=200, summary="End a batch; its results stay", responses=_refusals(404)
)
async def end(request: Asked, id: str) -> BatchStatus:
    return await _desk(request).cancel(id)


@get(
    "/batches/{id:str}/results",
    summary="A batch's conversations",
    description=(
        "format is json, csv or ndjson; order=input has them in the order of the body instead of that of"
        " their ends; include=transcript gives what was said instead, as NDJSON. CSV: csv_raw=1 leaves cells"
        " that a spreadsheet would run, bom=1 begins with a byte order mark."
    ),
    responses={200: ResponseSpec(Results, generate_examples=False), **_refusals(404, 422)},
)
async def results(
    request: Asked,
    id: str,
    *,
    format: str = "json",
    order: str = "completion",
    include: str = "",
    csv_raw: str = "0",
    bom: str = "0",
) -> Stream:
    """`partial` in the JSON, and the header Assay-Partial, say that more may come."""
    _one_of("format", format, MEDIA)
    _one_of("order", order, ("completion", "input"))
    _one_of("include", include, ("", "transcript"))
    transcripts = include == "transcript"
    raw, marked = _switch("csv_raw", csv_raw), _switch("bom", bom)
    form = Form(cast("Format", format), raw=raw, bom=marked, counts=True)
    standing = await _desk(request).status(id)
    text = _desk(request).results(id, form, ordered=order == "input", transcripts=transcripts)
    headers = {"Assay-Partial": "true"} if standing.status in ("queued", "running") else {}
    squeezed = _accepts_gzip(request.headers)
    if squeezed:
        headers |= {"Content-Encoding": "gzip"}
    return Stream(
        _sent(text, squeezed=squeezed),
        media_type=MEDIA["ndjson" if transcripts else format],
        headers={**headers, "Vary": "Accept-Encoding"},
    )


def _one_of(name: str, given: str, known: Mapping[str, str] | tuple[str, ...]) -> None:
    if given not in known:
        choices = ", ".join(each for each in known if each)
        raise Refusal(422, f"{name}={given[:40]}: unknown", f"choose one of: {choices}")


def _switch(name: str, given: str) -> bool:
    if given not in ("0", "1", "true", "false"):
        raise Refusal(422, f"{name}={given[:40]}: neither 0 nor 1", f"write ?{name}=1")
    return given in ("1", "true")


def _in_range(name: str, given: int, least: int, most: int) -> None:
    if not least <= given <= most:
        raise Refusal(422, f"{name} is not from {least} to {most}", f"write ?{name}={least}")


def _accepts_gzip(headers: Mapping[str, str]) -> bool:
    """Whether gzip is asked for by its name, or else by `*`, and not with a quality of 0."""
    asked: dict[str, bool] = {}
    for part in headers.get("accept-encoding", "").lower().split(","):
        name, _, quality = part.partition(";")
        asked[name.strip()] = quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return asked.get("gzip", asked.get("*", False))


async def _sent(text: Iterator[str], *, squeezed: bool) -> AsyncIterator[bytes]:
    """The text in bytes, made in a thread a piece at a time, so that conversations go on meanwhile."""
    squeeze = zlib.compressobj(wbits=31) if squeezed else None
    while piece := await asyncio.to_thread(_next, text):
        raw = piece.encode()
        yield raw if squeeze is None else squeeze.compress(raw)
    if squeeze is not None:
        yield squeeze.flush()


def _next(text: Iterator[str]) -> str:
    """The next PIECE characters or more; nothing at the end."""
    parts, length = [], 0
    for part in text:
        parts.append(part)
        length += len(part)
        if length >= PIECE:
            break
    return "".join(parts)


@get("/openapi.json", include_in_schema=False)
async def openapi(request: Asked) -> Response[bytes]:
    schema = request.app.openapi_schema.to_schema()
    bodies = msgspec.json.schema_components([PostedBatch], ref_template="#/components/schemas/{name}")[1]
    schema["components"]["schemas"] |= bodies
    either = {"anyOf": [{"$ref": "#/components/schemas/PostedBatch"}, {"type": "array", "items": {}}]}
    posting = schema["paths"]["/api/batches"]["post"]
    posting["requestBody"] = {"required": True, "content": {"application/json": {"schema": either}}}
    return Response(msgspec.json.encode(schema), media_type="application/json")


ENDPOINTS = [health, launch, batches, status, summary, cost, cancel, end, results, openapi]


def app(settings: Settings, desk: Desk) -> Litestar:
    """The application. Its desk works as long as it does."""

    @asynccontextmanager
    async def working(application: Litestar) -> AsyncIterator[None]:
        application.state.desk = desk
        desk.open()
        try:
            yield
        finally:
            await desk.close()

    cors = CORSConfig(
        allow_origins=list(settings.origins),
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["content-type", "idempotency-key"],
    )
    return Litestar(
        [Router("/api", route_handlers=ENDPOINTS)],
        lifespan=[working],
        exception_handlers={Exception: answer},
        response_class=Answer,
        cors_config=cors if settings.origins else None,
        openapi_config=OpenAPIConfig("assay", __version__, path="/api/schema"),
        logging_config=None,
        plugins=[Money()],
    )
