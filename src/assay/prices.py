"""What tokens cost: dated prices with their sources, and the dollars of a usage in Decimal.

The rows that ship with assay lie beside this module (`prices.json`); `loading` reads them.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct, json, to_builtins

from assay.keys import digest
from assay.message import Request, Usage

_PER_MILLION = -6
_TOKENS_A_MESSAGE = 16
_TOKENS_A_REQUEST = 1024


class Price(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Dollars for a million tokens of a model, as `source` gave them on `date` (YYYY-MM-DD).

    `model` is `provider/name` in full, or its beginning followed by `*`. `cached` is the price of
    the cached part of the input; None means that of the input. `max_output` is the most output
    tokens the model can give in one reply, for worst cases. Raises ValueError for a negative price
    or a `*` elsewhere than at the end (msgspec names the row when it converts a file's rows).
    """

    model: str
    input: Decimal
    output: Decimal
    source: str
    date: str
    cached: Decimal | None = None
    max_output: int | None = None

    def __post_init__(self) -> None:
        if "*" in self.model[:-1]:
            raise ValueError(f"{self.model!r}: a * may stand at the end only")
        for amount in (self.input, self.output, self.cached or Decimal(0)):
            if not amount.is_finite() or amount < 0:
                raise ValueError(f"{self.model!r}: a price is a finite number of dollars, not {amount}")

    def matches(self, model: str) -> bool:
        """Whether this row is for that model."""
        if self.model.endswith("*"):
            return model.startswith(self.model[:-1])
        return model == self.model

    def cost(self, usage: Usage) -> Decimal:
        """The dollars of a usage, exactly. The cached part of the input is paid at its own price;
        reasoning is part of the output and is not counted again.
        """
        cached = min(usage.cached, usage.input)
        fresh_price = self.input
        cached_price = self.input if self.cached is None else self.cached
        dollars = (usage.input - cached) * fresh_price + cached * cached_price + usage.output * self.output
        return dollars.scaleb(_PER_MILLION)


class PriceTable(Struct, frozen=True, forbid_unknown_fields=True):
    """Prices by model. `version` names the table in the record; `date` is when it was last looked over.

    Raises ValueError if two rows name the same model.
    """

    version: str
    date: str
    rows: tuple[Price, ...] = ()

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for row in self.rows:
            if row.model in seen:
                raise ValueError(f"two prices for {row.model!r}")
            seen.add(row.model)

    def over(self, rows: Iterable[Price]) -> PriceTable:
        """The table with other rows in place of those of the same models: a user's own prices."""
        own = {row.model: row for row in rows}
        if not own:
            return self
        kept = (row for row in self.rows if row.model not in own)
        mark = digest([to_builtins(row) for row in own.values()], 8)
        return PriceTable(f"{self.version}+{mark}", self.date, (*own.values(), *kept))

    def price(self, model: str) -> Price | None:
        """The row for a model: its own name before a beginning with `*`, a longer beginning first."""
        fits = (row for row in self.rows if row.matches(model))
        return max(fits, key=lambda row: (not row.model.endswith("*"), len(row.model)), default=None)

    def of(self, model: str) -> PriceTable:
        """The table with that model's row alone, so that it is looked for once and not at each call."""
        row = self.price(model)
        return PriceTable(self.version, self.date, () if row is None else (row,))

    def cost(self, model: str, usage: Usage) -> Decimal | None:
        """The dollars of a usage, None where no price is known."""
        row = self.price(model)
        return None if row is None else row.cost(usage)

    def worst_case(self, model: str, request: Request) -> Decimal | None:
        """The most that one attempt at this request can cost, in dollars; None where it cannot be told.

        Input: no more tokens than `prompt_tokens_bound`, none of them cached. Output: the request's
        max_tokens, else the model's own limit; without either there is no bound.
        """
        row = self.price(model)
        if row is None:
            return None
        limit = request.sampling.max_tokens
        most = row.max_output if limit is None else limit
        if most is None:
            return None
        return row.cost(Usage(input=prompt_tokens_bound(request), output=most))


def prompt_tokens_bound(request: Request) -> int:
    """More tokens than the prompt can have: one for each byte of its JSON, and room for templates.

    A byte-level tokenizer makes at most one token of a byte. Chat templates add a few for each
    message, and providers add a preamble of some hundreds where tools are offered.
    """
    sent = (request.messages, request.tools, request.schema)
    return len(json.encode(sent)) + _TOKENS_A_MESSAGE * len(request.messages) + _TOKENS_A_REQUEST
