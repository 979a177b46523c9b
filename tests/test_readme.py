"""The README, taken at its word: its commands, its links and what it names exist."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

import sipstack
from sipstack import UserAgent
from sipstack.cli.identity import PASSWORD
from sipstack.cli.main import program
from sipstack.cli.status import ExitStatus
from tests.cli.streams import environment
from tests.readme import PROJECT, README, blocks

# --- the command line ---


def usage_of(name: str) -> str:
    """The command as the README writes it: ``sipstack call TARGET``, in back quotes."""
    params = program.commands[name].params
    arguments = [param.human_readable_name for param in params if isinstance(param, click.Argument)]
    return f"`{' '.join(['sipstack', name, *arguments])}`"


def options_of(command: click.Command) -> set[str]:
    """The options as the README writes them: ``--play WAV``, ``--json``, ``-v``."""
    if isinstance(command, click.Group):
        return set().union(*map(options_of, command.commands.values()))
    options = [param for param in command.params if isinstance(param, click.Option) and not param.hidden]
    return {_written(option) for option in options if option.name != "help"}


def _written(option: click.Option) -> str:
    name = min(option.opts, key=len)
    return name if option.is_flag or option.count else f"{name} {option.make_metavar(_context(option))}"


def _context(option: click.Option) -> click.Context:
    return click.Context(click.Command("any", params=[option]))


def table(title: str) -> dict[str, str]:
    """The rows of the table whose first column has this title: first column to the rest."""
    found = re.search(rf"^\| {title} \|.*\n\|---\|---\|\n((?:\|.*\n)+)", README, re.MULTILINE)
    assert found is not None
    rows = (line.strip("|").split("|", 1) for line in found[1].splitlines())
    return {first.strip(): rest.strip() for first, rest in rows}


def code(text: str) -> list[str]:
    """What stands in back quotes; in a table a bar is escaped there too."""
    return [quoted.replace("\\|", "|") for quoted in re.findall(r"`([^`]+)`", text)]


def test_every_row_of_a_table_has_its_two_columns() -> None:
    rows = [line for line in README.splitlines() if line.startswith("|")]
    assert [row for row in rows if len(re.findall(r"(?<!\\)\|", row)) != 3] == []


EVERYWHERE = next(line for line in README.split("\n\n") if line.startswith("Everywhere:"))


def test_the_table_has_every_command_with_its_arguments() -> None:
    assert set(table("command")) == {usage_of(name) for name in program.commands}


@pytest.mark.parametrize("row", table("command").items(), ids=lambda row: row[0])
def test_a_row_has_every_option_of_its_command(row: tuple[str, str]) -> None:
    name = row[0].strip("`").split()[1]
    everywhere = {option for option in code(EVERYWHERE) if option.startswith("-")} - {"--trace=full"}
    own = set(code(row[1]))
    given = options_of(program.commands[name])
    assert own == given - everywhere
    assert name in ("demo", "calls") or everywhere <= given


def test_the_exit_codes_are_those_of_the_program() -> None:
    assert [int(code) for code in table("exit code")] == [int(status) for status in ExitStatus]


def test_the_environment_variable_of_the_password() -> None:
    assert PASSWORD in code(EVERYWHERE)


# --- the rest ---


def test_the_two_commands_to_begin_with() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    demo, tests = blocks("sh")
    begin = "python3 -m venv .venv && .venv/bin/pip install --quiet "
    assert demo == begin + "'.[cli]' && .venv/bin/sipstack demo\n"
    assert tests == begin + "-e '.[test]' && .venv/bin/python -m pytest\n"
    assert {"cli", "test"} <= set(project["optional-dependencies"])
    assert set(project["scripts"]) == {"sipstack"}
    assert project["requires-python"] == ">=3.11"
    assert "demo" in program.commands


def test_no_link_is_relative_for_the_page_of_a_package_index_has_no_files_beside_it() -> None:
    assert [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link] == []


def test_the_pages_that_it_names_come_with_the_package() -> None:
    pages = set(re.findall(r"`(\S+\.md)`", README))
    assert pages == {
        f"sipstack/{name}.md" for name in ("ARCHITECTURE", "CAPACITY", "CHANGELOG", "JSON", "RFCS")
    }
    assert [page for page in pages if not (PROJECT / page).exists()] == []


@pytest.mark.parametrize("mode", ["", "[pytest]\nasyncio_mode = auto\n"], ids=["no setting", "auto"])
def test_the_test_runs_as_a_file_in_an_empty_folder(tmp_path: Path, mode: str) -> None:
    (block,) = [each for each in blocks("python") if "import pytest" in each]
    (tmp_path / "test_it.py").write_text(block.replace("range(100)", "range(3)"), encoding="utf-8")
    if mode:
        (tmp_path / "pytest.ini").write_text(mode, encoding="utf-8")
    variables = {**os.environ, "PYTHONPATH": str(PROJECT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    plugins = ("-p", "pytest_asyncio.plugin", "-p", "sipstack.testing.plugin")
    command = [sys.executable, "-m", "pytest", "-q", *plugins]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True)
    assert "3 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("line", [line for block in blocks("console") for line in block.splitlines()])
def test_the_command_lines_that_register_and_answer_parse(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("pbx.crt", "pbx.key"):
        (tmp_path / name).touch()
    sipstack, name, *arguments = shlex.split(line)
    assert sipstack == "sipstack"
    program.commands[name].make_context(name, arguments, obj=environment(variables={PASSWORD: "x"}))


def test_the_arguments_that_it_names_exist() -> None:
    known = {
        *inspect.signature(UserAgent.__init__).parameters,
        *inspect.signature(UserAgent.register).parameters,
        *inspect.signature(sipstack.Tls.__init__).parameters,
    }
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.DOTALL | re.MULTILINE)
    named = {text.partition("=")[0] for text in code(prose) if re.match("[a-z_]+=", text)} - {"transport"}
    assert {"tls", "proxy", "advertise", "listen"} <= named
    assert named <= known


def test_the_folders_and_modules_that_it_names_are_there() -> None:
    assert (PROJECT / "interop" / "bench" / "__main__.py").exists()
    folders = set(re.findall(r"`(?:pytest )?interop/(\w+)`", README))
    assert {"asterisk", "kamailio", "browser", "sipp"} <= folders
    assert [name for name in folders if not (PROJECT / "interop" / name).is_dir()] == []


def test_the_modules_that_it_names_are_there() -> None:
    named = set(re.findall(r"\bsipstack\.(agents\.[a-z_]+)\b", README))
    assert named == {"agents.echo_bot", "agents.wire", "agents.pipecat"}
    assert [name for name in named if importlib.util.find_spec(f"sipstack.{name}") is None] == []


def test_the_names_that_it_mentions_are_public() -> None:
    mentioned = set(re.findall(r"\bsipstack\.([A-Za-z]+)\b(?!/)", README)) - {"testing", "agents"}
    assert mentioned <= set(sipstack.__all__)
    assert {"CallRejected", "CallEnded", "UserAgent"} <= mentioned
