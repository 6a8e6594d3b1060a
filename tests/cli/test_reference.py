"""The command reference says what the commands say."""

from pathlib import Path

import click
import pytest

from assay.cli.main import VERBS, cli
from assay.cli.reference import WIDTH, reference

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def test_the_page_is_what_the_commands_say_of_themselves():
    assert PAGE.read_text() == reference(), "write it anew: python -m assay.cli.reference > docs/commands.md"


def helped(words: list[str], capsys) -> str:
    """What `--help` really prints at the page's width."""
    cli.main([*words, "--help"], prog_name="assay", standalone_mode=False, terminal_width=WIDTH)
    return str(capsys.readouterr().out)


@pytest.mark.parametrize("verb", VERBS)
def test_the_page_holds_the_real_help_of_every_verb(verb, capsys):
    page = PAGE.read_text()
    assert f"## assay {verb}\n\n```text\n{helped([verb], capsys)}```\n" in page
    command = cli.get_command(click.Context(cli), verb)
    for child in command.commands if isinstance(command, click.Group) else ():
        assert f"## assay {verb} {child}\n\n```text\n{helped([verb, child], capsys)}```\n" in page
