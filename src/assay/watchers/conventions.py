"""The names by which OpenTelemetry knows what a model was asked, in one table with its version."""

from __future__ import annotations

VERSION = "1.38.0"
"""The version of the semantic conventions that these names are taken from; they are still moving."""

SCHEMA = f"https://opentelemetry.io/schemas/{VERSION}"

CHAT = "chat"
EVALUATION_EVENT = "gen_ai.evaluation.result"

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
CONVERSATION = "gen_ai.conversation.id"

REQUEST_MODEL = "gen_ai.request.model"
REQUEST_TEMPERATURE = "gen_ai.request.temperature"
REQUEST_TOP_P = "gen_ai.request.top_p"
REQUEST_MAX_TOKENS = "gen_ai.request.max_tokens"
REQUEST_SEED = "gen_ai.request.seed"
REQUEST_STOP = "gen_ai.request.stop_sequences"
OUTPUT_TYPE = "gen_ai.output.type"

RESPONSE_MODEL = "gen_ai.response.model"
FINISH_REASONS = "gen_ai.response.finish_reasons"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
ERROR_TYPE = "error.type"
STATUS_CODE = "http.response.status_code"

INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"

EVALUATION_NAME = "gen_ai.evaluation.name"
EVALUATION_VALUE = "gen_ai.evaluation.score.value"
EVALUATION_LABEL = "gen_ai.evaluation.score.label"
EVALUATION_EXPLANATION = "gen_ai.evaluation.explanation"

PROVIDERS = {
    "anthropic": "anthropic",
    "deepseek": "deepseek",
    "gemini": "gcp.gemini",
    "groq": "groq",
    "mistral": "mistral_ai",
    "openai": "openai",
    "xai": "x_ai",
}
"""Our providers by the conventions' names; any other goes by its own."""

RUN, TRIAL, CASE, REPEAT, STATUS, DETAIL = (
    f"assay.{name}" for name in ("run.id", "trial.key", "case.id", "repeat", "status", "status.detail")
)
ROLE, ORIGIN, ATTEMPT, COST, TTFT, CACHED, REASONING = (
    f"assay.call.{name}"
    for name in ("role", "origin", "attempt", "cost_usd", "ttft_s", "cached_tokens", "reasoning_tokens")
)
"""What the conventions have no name for."""
