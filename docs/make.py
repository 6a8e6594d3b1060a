"""Writes the pages that are made from the code: docs/commands.md and docs/faults.md.

python docs/make.py
"""

from __future__ import annotations

from pathlib import Path

from assay.cli.reference import reference
from assay.emulator import proxy
from assay.emulator.faults import WORDS, markdown

HERE = Path(__file__).resolve().parent

FAULTS_HEAD = """\
# The emulator's faults

Made from the code by `make docs`; a test compares it with `assay.emulator.faults`.

The emulator (`assay emulate`, `emulated/NAME` in a plan) misbehaves on purpose, on a real socket, so that
what a client makes of a fault can be checked against the ledger of what was sent. Each fault is tested
twice: its bytes over a raw socket, and what our own model reports of it (`tests/end_to_end/test_faults.py`).

## Choosing

The first that says something counts:

1. the header `x-fault: NAME[:k=v,...]`,
2. the path `/f/NAME/v1/...` (also `/f/NAME/hook` for webhooks),
3. the model `fault-NAME`, which passes through any client,
4. a script: `--script` with `{"prompt digest or *": ["429:ra=2", "s_cut", "ok"]}`, the nth attempt's fault,
5. a weighted mix: `--mix ok=80,500=5,s_cut:after=3=5 --seed 7`, drawn by a hash of seed, request and attempt,
   so that it does not depend on the order of arrival.

Parameters stand behind a colon, parted by commas (in a mix by `;`). Every fault takes `times=n`: only the
first n attempts at equal requests meet it. A request that cannot meet its fault (column "meets") is
answered right, and the ledger says `ok`.

## The table

"To report" is the error class that a right client gives; "a reply" means that the answer comes through,
whole or flagged. "Billed" says whether the tokens are charged. What is not detectable carries a wrong
answer in valid framing: no client can know.

"""

FAULTS_TAIL = """
Words that parameters take: {words}.

A server that is not there (a refused connection) cannot be emulated by a server that is: stop it instead.

## Capacity

`python -m assay.emulator --capacity rpm=600,tpm=60000,concurrency=8,queue=100,full=503` bounds what the
emulator can bear, and `POST /capacity` with a JSON object changes it while it runs (`GET /capacity` shows
it). `rpm` and `tpm` are token buckets that hold `burst_s` seconds (60) of their limit; a request costs
its input and its right answer's tokens. `headers` tell of the limits: `none`, `true`, `high` (ten times
too much), `low` (nothing left), `azure` (-1 and 0). `concurrency` requests are served at once; `queue`
more wait, and the rest gets the status `full` (429, 503, 529). `service_ms` is the mean of what passes
before the first byte: `service` is `fixed`, `exp` or `lognormal` (`sigma`), drawn by the request's hash.
In the last `freeze_s` of every `freeze_every_s` seconds nothing is sent. What was turned down stands in
the ledger as `limited`.

## Times and connections

Flags of `python -m assay.emulator` too: `--ttft-ms`, `--itl-ms`, `--spread` time all answers; `--timings
FILE` gives exact instants by prompt digest: `{{"*": {{"ttft_ms": 100, "gaps_ms": [20, 20, 500]}}}}`, the
last gap going on. `--idle-ms 50 --idle-end rst` closes idle connections, `--max-requests 100` ends a
connection after so many, announced in the last reply.

## A proxy before a real server

`assay emulate --proxy HOST:PORT` passes every byte on to that server and back until it is told otherwise.
`POST /toxics` at the second address that it prints takes a JSON list, which holds for connections that are
opened after it; `GET /toxics` shows it. Each toxic may name a `direction` (`down`, from the server, or
`up`) and the `share` of the connections that it hits, drawn by `--seed` and the connection's number.

{toxics}
## Webhooks

`POST /hook` takes any JSON object and keeps it in the ledger (`truth.received`). Slow:
`/f/stall_headers:s=2/hook`; 500 twice, then good: `/f/500:times=2/hook`; hanging:
`/f/stall_headers/hook`; reset: `/f/rst/hook`; redirected: `/f/307/hook`.

## The ledger

`GET /ledger?since=N` and `--ledger FILE` give a row a request: what was asked, which attempt at it, the
fault, status, instants (arrived, headers_sent, first_content, done_sent, client_gone), tokens and price
billed, the right answer. `GET /stats` counts them, `POST /reset` forgets them.
"""


def faults() -> str:
    """The page of faults."""
    words = "; ".join(f"`{name}`: {', '.join(values)}" for name, values in WORDS.items())
    return FAULTS_HEAD + markdown() + FAULTS_TAIL.format(words=words, toxics=proxy.markdown())


PAGES = {"commands.md": reference, "faults.md": faults}


def main() -> None:
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
