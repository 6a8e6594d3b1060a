"""A run as OpenTelemetry traces: a span a trial, a span an attempt, an event a score."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from assay import __version__
from assay.errors import UsageError
from assay.keys import JSON
from assay.message import Message, Request
from assay.ports import Run
from assay.trial import Call, Event, Score, Status, Trial
from assay.watchers import conventions as names

if TYPE_CHECKING:  # the SDK is an extra
    from opentelemetry._logs import Logger, LoggerProvider
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanContext, Tracer, TracerProvider

INSTALL = "install it: pip install 'assay[otel]'"
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
EXPORTER = "OTEL_TRACES_EXPORTER"
DISABLED = "OTEL_SDK_DISABLED"
SERVICE = "OTEL_SERVICE_NAME"

MOST_TEXT = 100_000
"""Characters of captured messages that one attribute holds."""

FLUSH_MS = 5_000
"""How long the end of a run waits for spans that are still on their way."""

Value = str | bool | float | Sequence[str]


class Telemetry:
    """A watcher that gives each trial a trace of its own: the trial's span and below it one an attempt.

    A score is the event `gen_ai.evaluation.result` at the span of its trial. What was said stays out
    of it unless `capture`. `shut_down` says whether the end of the run closes the providers.
    """

    def __init__(
        self,
        tracers: TracerProvider,
        loggers: LoggerProvider,
        *,
        capture: bool = False,
        shut_down: bool = False,
    ) -> None:
        self._providers = (tracers, loggers) if shut_down else ()
        self._tracer: Tracer = tracers.get_tracer("assay", __version__, names.SCHEMA)
        self._logger: Logger = loggers.get_logger("assay", __version__, names.SCHEMA)
        self._capture = capture
        self._run: Run | None = None
        self._calls: dict[str, list[Call]] = {}
        self._spans: dict[str, SpanContext] = {}

    def on_start(self, run: Run, held: int) -> None:  # noqa: ARG002  a watcher's interface
        self._run = run

    def on_event(self, trial: str, event: Event) -> None:
        """Lines are in the calls that brought them."""

    def on_call(self, call: Call) -> None:
        self._calls.setdefault(call.trial, []).append(call)

    def on_trial(self, trial: Trial) -> None:
        """The trial's span when it has been played, its scores when it has been scored."""
        calls = self._calls.pop(trial.key, [])
        if trial.status is Status.NOT_RUN:
            return
        span = self._spans.pop(trial.key, None) or self._trial(trial)
        within = _context(span)
        for call in calls:
            self._call(call, within)
        if trial.status is Status.PLAYED:
            self._spans[trial.key] = span
            return
        for score in trial.scores:
            self._score(trial, score, within)

    def on_end(self, run: Run) -> None:  # noqa: ARG002  a watcher's interface
        for provider in self._providers:
            provider.force_flush(FLUSH_MS)  # type: ignore[union-attr]  # those of the SDK have both
            provider.shutdown()  # type: ignore[union-attr]  # as above

    def _trial(self, trial: Trial) -> SpanContext:
        """The span of a whole trial, from its start to the end of its play."""
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.status import Status as Told
        from opentelemetry.trace.status import StatusCode

        task = self._run.task.partition(" ")[0] if self._run is not None else "trial"
        attributes: dict[str, Value] = {
            names.RUN: trial.run,
            names.TRIAL: trial.key,
            names.CASE: trial.case.id,
            names.REPEAT: trial.repeat,
            names.STATUS: trial.status.value,
            names.REQUEST_MODEL: _model(trial.model),
        }
        span = self._tracer.start_span(
            f"trial {task}", Context(), SpanKind.INTERNAL, attributes, start_time=trial.wall
        )
        if trial.status in (Status.FAILED, Status.INVALID):
            span.set_attribute(names.ERROR_TYPE, trial.detail[:200])
            span.set_status(Told(StatusCode.ERROR))
        span.end(trial.wall + round((trial.ended - trial.started) * 1e9))
        return span.get_span_context()

    def _call(self, call: Call, within: Context) -> None:
        """The span of one attempt."""
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.status import Status as Told
        from opentelemetry.trace.status import StatusCode

        attributes = dict(_asked(call)) | dict(_answered(call))
        if self._capture:
            attributes |= dict(_content(call))
        name = f"{names.CHAT} {_model(call.model)}"
        span = self._tracer.start_span(name, within, SpanKind.CLIENT, attributes, start_time=call.began)
        if call.error is not None:
            span.set_status(Told(StatusCode.ERROR))
        instants = call.reply.instants
        took = instants.ended - instants.sent if instants.sent and instants.ended else 0
        span.end(call.began + max(0, took))

    def _score(self, trial: Trial, score: Score, within: Context) -> None:
        """One score as an event at the span of its trial."""
        attributes: dict[str, Value] = {names.EVALUATION_NAME: score.name, names.RUN: trial.run}
        if score.number is not None:
            attributes[names.EVALUATION_VALUE] = score.number
        if isinstance(score.value, (str, bool)):
            attributes[names.EVALUATION_LABEL] = str(score.value).lower()[:200]
        if score.unscored is not None:
            attributes[names.ERROR_TYPE] = score.unscored
        if self._capture and score.reason:
            attributes[names.EVALUATION_EXPLANATION] = _sound(score.reason[:MOST_TEXT])
        self._logger.emit(context=within, event_name=names.EVALUATION_EVENT, attributes=attributes)


def _context(span: SpanContext) -> Context:
    """A context within a span that may have ended."""
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, set_span_in_context

    return set_span_in_context(NonRecordingSpan(span), Context())


def _model(name: str) -> str:
    return name.partition("/")[2] or name


def _asked(call: Call) -> Iterator[tuple[str, Value]]:
    """What was asked of whom, without the words."""
    provider = call.model.partition("/")[0]
    yield names.OPERATION, names.CHAT
    yield names.PROVIDER, names.PROVIDERS.get(provider, provider)
    yield names.REQUEST_MODEL, _model(call.model)
    yield names.CONVERSATION, call.trial
    yield names.RUN, call.run
    yield names.ROLE, call.role
    yield names.ORIGIN, call.origin
    yield names.ATTEMPT, call.attempt
    yield names.OUTPUT_TYPE, "text" if call.request.format == "text" else "json"
    sampling = call.request.sampling
    given = {
        names.REQUEST_TEMPERATURE: sampling.temperature,
        names.REQUEST_TOP_P: sampling.top_p,
        names.REQUEST_MAX_TOKENS: sampling.max_tokens,
        names.REQUEST_SEED: sampling.seed,
    }
    yield from ((name, value) for name, value in given.items() if value is not None)
    if sampling.stop:
        yield names.REQUEST_STOP, list(sampling.stop)


def _answered(call: Call) -> Iterator[tuple[str, Value]]:
    """How it ended, what it used and cost."""
    reply, usage = call.reply, call.reply.usage
    yield names.FINISH_REASONS, [reply.finish.value]
    if reply.served_model:
        yield names.RESPONSE_MODEL, reply.served_model
    if usage is not None:
        yield names.INPUT_TOKENS, usage.input
        yield names.OUTPUT_TOKENS, usage.output
        yield names.CACHED, usage.cached
        yield names.REASONING, usage.reasoning
    if call.cost is not None:
        yield names.COST, float(call.cost)
    if call.request.stream and call.ttft is not None:
        yield names.TTFT, call.ttft
    if call.error is not None:
        yield names.ERROR_TYPE, call.error.value
    if call.status is not None:
        yield names.STATUS_CODE, call.status


def _content(call: Call) -> Iterator[tuple[str, Value]]:
    """The messages of both sides, in the conventions' JSON."""
    yield names.INPUT_MESSAGES, _messages(call.request)
    if call.reply.text or call.reply.tool_calls:
        told = {**_message(call.reply.message), "finish_reason": call.reply.finish.value}
        yield names.OUTPUT_MESSAGES, _json([told])


def _messages(request: Request) -> str:
    return _json([_message(message) for message in request.messages])


def _message(message: Message) -> dict[str, JSON]:
    if message.role == "tool":
        answer: JSON = {"type": "tool_call_response", "id": message.tool_call_id, "response": message.text}
        return {"role": "tool", "parts": [answer]}
    parts: list[JSON] = [{"type": "text", "content": message.text}] if message.text else []
    parts += [
        {"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.arguments}
        for call in message.tool_calls
    ]
    return {"role": message.role, "parts": parts}


def _json(value: JSON) -> str:
    try:
        return msgspec.json.encode(value).decode()[:MOST_TEXT]
    except UnicodeEncodeError:  # a lone surrogate in a hostile reply
        return _sound(str(value)[:MOST_TEXT])


def _sound(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def telemetry(environment: Mapping[str, str]) -> tuple[Telemetry, ...]:
    """The watcher that the standard variables ask for; none without one of them.

    Spans leave by OTLP over HTTP (OTEL_EXPORTER_OTLP_ENDPOINT and its kin, read by the exporter from
    the process's environment), or to standard error (OTEL_TRACES_EXPORTER=console). Raises UsageError
    where they are asked for and the extra is not installed.
    """
    wanted = environment.get(EXPORTER) or ("otlp" if any(map(environment.get, ENDPOINTS)) else "none")
    if wanted == "none" or environment.get(DISABLED, "").lower() == "true":
        return ()
    if wanted not in {"otlp", "console"}:
        raise UsageError(f"{EXPORTER}={wanted}: no such exporter here", fix="use otlp, console or none")
    try:
        tracers, loggers = _providers(wanted, environment.get(SERVICE) or "assay")
    except ImportError:
        raise UsageError(f"{EXPORTER} asks for OpenTelemetry, which is not here", fix=INSTALL) from None
    capture = environment.get(CAPTURE, "").lower() == "true"
    return (Telemetry(tracers, loggers, capture=capture, shut_down=True),)


def _providers(exporter: str, service: str) -> tuple[TracerProvider, LoggerProvider]:
    import sys

    from opentelemetry.sdk._logs import LoggerProvider as Loggers
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, ConsoleLogRecordExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider as Tracers
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

    resource = Resource.create({"service.name": service, "service.version": __version__})
    tracers, loggers = Tracers(resource=resource), Loggers(resource=resource)
    if exporter == "console":
        tracers.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter(out=sys.stderr)))
        loggers.add_log_record_processor(BatchLogRecordProcessor(ConsoleLogRecordExporter(out=sys.stderr)))
        return tracers, loggers
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    return tracers, loggers
