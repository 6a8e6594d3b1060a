"""Spans and evaluation events through the SDK's in-memory exporters; nothing leaves without being asked."""

import json

import pytest

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from opentelemetry.trace.status import StatusCode

from assay.errors import UsageError
from assay.loading.environment import Environment
from assay.watchers import conventions as names
from assay.watchers import telemetry as module
from assay.watchers.telemetry import Telemetry, telemetry


class Heard:
    """Providers whose spans and events stay in memory, and the watcher over them."""

    def __init__(self, *, capture: bool = False) -> None:
        self._spans, self._events = InMemorySpanExporter(), InMemoryLogRecordExporter()
        tracers, loggers = TracerProvider(shutdown_on_exit=False), LoggerProvider(shutdown_on_exit=False)
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        loggers.add_log_record_processor(SimpleLogRecordProcessor(self._events))
        self.watcher = Telemetry(tracers, loggers, capture=capture)

    @property
    def trials(self):
        return [span for span in self._spans.get_finished_spans() if span.kind is SpanKind.INTERNAL]

    @property
    def calls(self):
        return [span for span in self._spans.get_finished_spans() if span.kind is SpanKind.CLIENT]

    @property
    def events(self):
        return [each.log_record for each in self._events.get_finished_logs()]


async def run(bench, *models, capture=False, **fields):
    heard = Heard(capture=capture)
    result = await bench.run(bench.plan(*models, **fields), watchers=(heard.watcher,))
    return heard, result


async def test_each_trial_is_a_trace_with_its_calls_below_it(bench):
    heard, result = await run(bench, limit=5)
    assert len(heard.trials) == len(heard.calls) == 5
    parents = {span.context.span_id: span for span in heard.trials}
    for call in heard.calls:
        parent = parents[call.parent.span_id]
        assert call.context.trace_id == parent.context.trace_id
        assert parent.attributes[names.RUN] == result.run.id
        assert parent.end_time > parent.start_time
    assert len({span.context.trace_id for span in heard.trials}) == 5


async def test_a_call_is_told_by_the_conventions_names(bench):
    heard, _ = await run(bench, limit=1)
    (call,) = heard.calls
    assert call.name == "chat skill-0.8"
    assert call.attributes["gen_ai.operation.name"] == "chat"
    assert call.attributes["gen_ai.provider.name"] == "emulated"
    assert call.attributes["gen_ai.request.model"] == "skill-0.8"
    assert call.attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert call.attributes["gen_ai.usage.input_tokens"] > 0
    assert call.attributes["gen_ai.usage.output_tokens"] > 0
    assert call.attributes["assay.call.role"] == "candidate"
    assert call.instrumentation_scope.schema_url == names.SCHEMA


async def test_each_score_is_an_event_at_its_trials_span(bench):
    bench.write_task(scorers=["exact", "f1"])
    heard, _ = await run(bench, "emulated/skill-1", limit=2)
    assert {event.event_name for event in heard.events} == {"gen_ai.evaluation.result"}
    assert len(heard.events) == 4
    spans = {span.context.span_id for span in heard.trials}
    assert {event.span_id for event in heard.events} == spans
    exact = next(e for e in heard.events if e.attributes["gen_ai.evaluation.name"] == "exact")
    assert exact.attributes["gen_ai.evaluation.score.value"] == 1.0
    assert exact.attributes["gen_ai.evaluation.score.label"] == "true"


async def test_nothing_that_was_said_is_in_it_unless_that_is_asked_for(bench):
    heard, _ = await run(bench, "emulated/skill-1", limit=1)
    everything = json.dumps([dict(each.attributes) for each in (*heard.trials, *heard.calls, *heard.events)])
    assert "What is" not in everything
    assert not any(
        name.endswith(("messages", "explanation")) for span in heard.calls for name in span.attributes
    )
    heard, _ = await run(bench, "emulated/skill-1", limit=1, capture=True, seed=2)
    (call,) = heard.calls
    asked = json.loads(call.attributes["gen_ai.input.messages"])
    assert asked == [{"role": "user", "parts": [{"type": "text", "content": "What is 0 + 1?"}]}]
    said = json.loads(call.attributes["gen_ai.output.messages"])
    assert said[0]["parts"] == [{"type": "text", "content": "1"}]


async def test_a_failed_attempt_is_an_error_of_its_class(bench):
    heard, _ = await run(bench, "emulated/fault-500", limit=1, max_failed=1.0)
    assert {span.status.status_code for span in heard.calls} == {StatusCode.ERROR}
    assert {span.attributes["error.type"] for span in heard.calls} == {"overloaded"}
    assert len(heard.calls) > 1  # the attempts, each of its own
    (trial,) = heard.trials
    assert (trial.status.status_code, trial.attributes["error.type"]) == (StatusCode.ERROR, "overloaded")


async def test_a_judges_calls_are_spans_of_the_trial_that_it_judges(bench):
    bench.write_task(scorers=["exact", "judge"])
    from assay.plan import ModelChoice

    heard, _ = await run(bench, limit=2, cast={"judge": ModelChoice("emulated/judge")})
    judges = [span for span in heard.calls if span.attributes["assay.call.role"] == "judge"]
    assert len(judges) == 2
    assert {span.parent.span_id for span in judges} == {span.context.span_id for span in heard.trials}


def test_without_the_standard_variables_nothing_is_watched():
    assert telemetry({}) == ()
    assert telemetry({"OTEL_SERVICE_NAME": "x"}) == ()
    assert (
        telemetry({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}) == ()
    )
    assert telemetry({"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"}) == ()


def test_an_exporter_that_is_not_here_is_refused():
    with pytest.raises(UsageError, match="no such exporter"):
        telemetry({"OTEL_TRACES_EXPORTER": "zipkin"})


def test_without_the_extra_the_remedy_is_said(monkeypatch):
    def missing(*_):
        raise ImportError("opentelemetry")

    monkeypatch.setattr(module, "_providers", missing)
    with pytest.raises(UsageError) as refused:
        telemetry({"OTEL_TRACES_EXPORTER": "console"})
    assert "assay[otel]" in refused.value.fix


async def test_the_variables_alone_make_a_run_send_its_spans_to_the_collector(bench, httpserver, monkeypatch):
    paths = []

    def collect(request):
        from werkzeug import Response

        paths.append((request.path, len(request.data)))
        return Response(status=200)

    httpserver.expect_request("/v1/traces").respond_with_handler(collect)
    httpserver.expect_request("/v1/logs").respond_with_handler(collect)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", httpserver.url_for("").rstrip("/"))
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": httpserver.url_for("").rstrip("/")}
    await bench.run(bench.plan(limit=2), environment=Environment(endpoint))
    assert {path for path, size in paths if size} == {"/v1/traces", "/v1/logs"}
