"""What `--help` shows is what is written in the code: no text is taken for markup, every default is there."""

from __future__ import annotations

import re

import pytest
from rich.text import Text
from typer.main import get_command
from typer.testing import CliRunner

from screening.cli.app import app
from screening.config import Settings


def commands(command=None, path=()):
    """Every command with its path, sub-commands included."""
    command = command or get_command(app)
    for name, sub in getattr(command, "commands", {}).items():
        yield from commands(sub, (*path, name))
    if path and not hasattr(command, "commands"):
        yield path, command


ALL = dict(commands())


def shown(path) -> str:
    """Help of a command as one line without frames."""
    result = CliRunner().invoke(app, [*path, "--help"], env={"TERMINAL_WIDTH": "200", "COLUMNS": "200"})
    assert result.exit_code == 0
    return " ".join(re.sub("[│╭╮╰╯─]", " ", result.output).split())


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_no_help_text_is_markup(path):
    command = ALL[path]
    for text in (command.help, *(getattr(p, "help", "") for p in command.params)):
        assert Text.from_markup(text or "").plain == (text or "")


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_option_has_a_help_text_and_shows_its_default(path):
    text = shown(path)
    for parameter in ALL[path].params:
        assert parameter.help, parameter.name
        default = parameter.show_default if isinstance(parameter.show_default, str) else parameter.default
        if isinstance(default, bool) or default is None or parameter.required:
            continue
        form = f"({default})" if isinstance(parameter.show_default, str) else str(default)
        assert f"[default: {form}]" in text, parameter.name


def test_the_defaults_of_the_main_job_are_those_of_its_settings():
    settings, text = Settings(), shown(("run",))
    for value in (
        settings.site, settings.host, settings.cathode, settings.potential, settings.preset, settings.seed,
        settings.stability.phases,
    ):  # fmt: skip
        assert f"[default: ({value})]" in text
    assert "[default: (one per core)]" in text
    assert "[default: (runs/<date>-<dopants>)]" in text


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_no_help_text_speaks_of_defaults_in_another_way(path):
    for parameter in ALL[path].params:
        assert "default" not in (parameter.help or "").replace("by default", ""), parameter.name
