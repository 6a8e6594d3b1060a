"""A conversation shown line by line while it is spoken."""

from __future__ import annotations

import click

from assay.cli import transcript
from assay.message import ToolCall
from assay.ports import Run
from assay.trial import Call, Event, EventKind, Status, Trial


class Speech:
    """A watcher for one conversation at a time; with `live` False it is shown when it has ended. It goes
    on in silence where nobody reads any more.
    """

    def __init__(self, *, live: bool = True) -> None:
        self._live = live
        self._held: list[str] = []
        self._heard = True
        self._pending: dict[str, ToolCall] = {}
        self._took: dict[str, Call] = {}

    def on_start(self, run: Run, held: int) -> None:
        """Nothing has been said yet."""

    def on_event(self, trial: str, event: Event) -> None:
        del trial
        message = event.message
        if event.kind is EventKind.PROMPT or message is None:
            return
        if event.kind is EventKind.TOOL_RESULT:
            call = self._pending.pop(message.tool_call_id or "", None)
            if call is not None:
                wrote = event.data.get("wrote") if isinstance(event.data, dict) else None
                effects = [transcript.wrote_tables(wrote)] if wrote else []
                struck = transcript.injected(event)
                effects += [struck] if struck is not None else []
                self._print(transcript.tool_line(call, message.text, ", ".join(effects)))
            return
        self._pending.update({call.id: call for call in message.tool_calls})
        if message.text:
            took = transcript.took(self._took.get(event.call or ""))
            discarded = event.kind is EventKind.DISCARDED or not event.delivered
            text = transcript.discarded_text(event) if discarded else message.text
            self._print(transcript.spoken(event.role, text, right=took, dim=discarded))

    def on_call(self, call: Call) -> None:
        self._took[call.id] = call

    def on_trial(self, trial: Trial) -> None:
        if trial.status is Status.PLAYED:
            return
        lines = [transcript.end_line(trial), *transcript.talk_of_lines(trial), *transcript.state_lines(trial)]
        self._print(["", *lines, *transcript.score_lines(trial.scores)])
        self._show()

    def on_end(self, run: Run) -> None:
        """The exit code says the rest."""
        del run
        self._show()

    def _print(self, lines: list[str]) -> None:
        self._held += lines
        if self._live:
            self._show()

    def _show(self) -> None:
        lines, self._held = self._held, []
        try:
            for line in lines if self._heard else ():
                click.echo(line)
        except OSError:  # it must not spoil the conversation that it listens to
            self._heard = False
