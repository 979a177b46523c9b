"""The help: examples and exit codes."""

from __future__ import annotations

import shlex
from typing import Any

import click
import pytest

from sipstack.cli.help import CommandWithExamples
from sipstack.cli.main import main, program
from sipstack.cli.status import ExitStatus
from tests.cli.running import write_tune
from tests.cli.streams import environment, text

COMMANDS = [
    "agent",
    "answer",
    "call",
    "demo",
    "message",
    "options",
    "publish",
    "refer",
    "register",
    "subscribe",
]
GROUPS = {"calls"}
EXIT_CODES = """\
Exit codes:
  0    done
  1    of several calls some failed: they were refused, not answered, or broke
       off
  2    usage: the command line cannot work, nothing was sent
  3    refused: the peer answered with a failure, such as 486 Busy Here
  4    no answer: nobody picked up, or no response came, in time
  5    transport or resolution: no address, no route, or the network refused
  6    media: no common codec, or audio that cannot be read, written or
       recognised
  130  interrupted by Ctrl-C or SIGTERM; calls were hung up first
"""


def help_of(*arguments: str) -> str:
    env = environment()
    assert main([*arguments, "--help"], env) == ExitStatus.DONE
    assert text(env.stderr) == ""
    return text(env.stdout)


def commands() -> dict[str, Any]:
    return {
        name: command
        for name, command in program.commands.items()
        if isinstance(command, CommandWithExamples)
    }


def examples() -> list[list[str]]:
    """The words of every example, without the variables set before the program's name."""
    lines = [line for command in commands().values() for _, line in command.examples]
    return [words[words.index("sipstack") + 1 :] for words in map(shlex.split, lines)]


def test_the_commands() -> None:
    assert sorted(commands()) == COMMANDS == sorted(program.commands.keys() - GROUPS)


@pytest.mark.parametrize("arguments", [[], *([name] for name in COMMANDS)], ids=str)
def test_every_help_ends_with_the_exit_codes(arguments: list[str]) -> None:
    assert help_of(*arguments).endswith(f"\n\n{EXIT_CODES}")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_shows_two_to_six_examples_of_its_own(name: str) -> None:
    command = commands()[name]
    assert len(command.examples) in range(2, 7)
    shown = help_of(name)
    for purpose, line in command.examples:
        assert f"  # {purpose}\n  {line}\n" in shown
        assert f"sipstack {name}" in line


@pytest.mark.parametrize("words", examples(), ids=" ".join)
def test_every_example_is_a_command_line_that_parses(
    words: list[str], tmp_path: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("hello.wav", "greeting.wav", "calls.xml"):
        write_tune(tmp_path / name)
    command = commands()[words[0]]
    command.make_context(words[0], words[1:])


def test_no_help_offers_a_password_option() -> None:
    options = [
        option
        for command in commands().values()
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
    ]
    assert "--user" in options
    assert [option for option in options if "pass" in option] == []
