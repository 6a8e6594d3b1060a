"""The `assay` command: its verbs, loaded when they are called, and how errors leave it."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence

import click

from assay import __version__
from assay.errors import AssayError, ReplayMiss, StoreError, UsageError

VERBS = {
    "run": "Evaluate models on a task.",
    "simulate": "Play simulated customers against an agent.",
    "bench": "Load an endpoint: speed, and what is still answered correctly.",
    "compare": "Compare two runs, or two models of one run.",
    "label": "Say what scores ought to be: how far a judge can be trusted.",
    "gate": "Hold a run to the limits of a gates.yaml.",
    "runs": "List, show, verify and delete stored runs.",
    "show": "Show one trial: what was said, called and scored.",
    "report": "Write a run as one HTML page, or as Markdown.",
    "export": "Write a run's trials: CSV, NDJSON, JSON, Parquet, JUnit, Prometheus.",
    "rescore": "Score stored trials anew; no candidate is called.",
    "tasks": "List, show and check tasks.",
    "models": "List providers and check that models answer.",
    "emulate": "Start the emulated model server.",
    "serve": "Serve batches of conversations by REST.",
    "batch": "Post, watch, fetch and cancel batches of a service.",
    "summarise": "What the results in a file come to; a histogram.",
    "init": "Write a commented task and plan to start from.",
    "doctor": "Say what is there and what is missing, a line each.",
    "demo": "A first run that needs no key and no network.",
}
"""Every verb and its short help, so that `--help` imports none of them."""

FAILED, USAGE, CANNOT_TELL, TOO_MANY_FAILED, INTERRUPTED = 1, 2, 3, 4, 130
"""Exit codes beside 0; docs/commands.md says what each means."""


class Verbs(click.Group):
    """A group whose commands are modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's interface
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  as above
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"assay.cli.{cmd_name}")
        command: click.Command = module.command
        _keep_lines(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  as above
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from assay.loading.files import did_you_mean

            raise UsageError(f"no command {args[0]!r}", fix=did_you_mean(args[0], VERBS))
        return super().resolve_command(ctx, args)


def _keep_lines(command: click.Command) -> None:
    r"""Makes the `\b` of raw docstrings the mark by which click keeps the lines of a paragraph."""
    command.help = (command.help or "").replace("\\b\n", "\b\n")
    if isinstance(command, click.Group):
        for each in command.commands.values():
            _keep_lines(each)


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: assay demo",
)
@click.version_option(__version__, prog_name="assay")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(*, debug: bool) -> None:
    """Tells whether a model, a prompt or an agent is good enough, fast enough and cheap enough."""
    del debug  # read from the arguments by main, which also sees errors from before this


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command and exits with its code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = cli.main(args=given, prog_name="assay", standalone_mode=False)
    except BaseException as error:  # noqa: BLE001  every way out has its own exit code
        if "--debug" in given:
            traceback.print_exc()
        sys.exit(_exit_code(error))
    sys.exit(code if isinstance(code, int) else 0)


def _exit_code(error: BaseException) -> int:
    """Shows the error as people should see it and gives its exit code."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else FAILED
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left has no reader
        return 0
    if isinstance(error, (KeyboardInterrupt, click.exceptions.Abort)):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    if isinstance(error, (UsageError, click.ClickException)):
        _complain_of_usage(error)
        return USAGE
    if isinstance(error, AssayError):
        fixes = (fix for kind, fix in _REMEDIES.items() if isinstance(error, kind))
        complain(str(error), next(fixes, "see the message; --debug shows where"))
        return CANNOT_TELL
    traceback.print_exception(error)
    click.echo("error: this is a fault of assay itself; please report it with the lines above", err=True)
    return CANNOT_TELL


_REMEDIES: dict[type[AssayError], str] = {
    StoreError: "free space or mend the store, then go on with: assay run --resume",
    ReplayMiss: "play without --replay strict, or with the plan of the recorded run",
}


def _complain_of_usage(error: UsageError | click.ClickException) -> None:
    if isinstance(error, UsageError):
        complain(error.problem, error.fix, error.excerpt)
    else:
        complain(error.format_message().rstrip("."), _usage_fix(error))


def _usage_fix(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "assay"
    return f"see {path} --help"


def complain(problem: str, fix: str, excerpt: str | None = None) -> None:
    """An error as one block: what is wrong, where, and the remedy."""
    from assay.cli.looks import printable  # files, and what they name, are not to drive the terminal

    def plain(text: str) -> str:
        return "\n".join(map(printable, text.split("\n")))

    click.echo(click.style("error: ", fg="red", bold=True) + plain(problem), err=True)
    if excerpt:
        for line in excerpt.splitlines():
            click.echo("       " + plain(line), err=True)
    click.echo(click.style("fix:   ", bold=True) + plain(fix), err=True)
