"""The library's log on standard error: levels, format, and what a stranger may have written into it."""

from __future__ import annotations

import io
import logging
import re

import pytest

from sipstack.cli.log import logging_to
from sipstack.cli.options import Output
from sipstack.cli.run import Run, run_command
from sipstack.cli.status import ExitStatus
from tests.cli.registrar import registrar_here
from tests.cli.running import ANY_PORT, command
from tests.cli.streams import environment, text

AREAS = ("sipstack.transport", "sipstack.transaction", "sipstack.call", "sipstack.media")
TIME = re.compile(r"^\d\d:\d\d:\d\d\.\d\d\d ")


def without_times(log: str) -> list[str]:
    """The lines of a log; each line that is not indented must begin with the time."""
    lines = log.splitlines()
    assert all(TIME.match(line) for line in lines if not line.startswith("    "))
    return [TIME.sub("", line, count=1) for line in lines]


@pytest.mark.parametrize("quoted", ["\x1b[2Jgone", "bell\a", "back\bspace", "a\0b", "\x9b31mred"])
def test_control_characters_that_a_stranger_sent_are_replaced(quoted: str) -> None:
    stream = io.StringIO()
    with logging_to(stream, 1):
        logging.getLogger("sipstack.transport").info("not SIP: %s", quoted)
    (line,) = without_times(stream.getvalue())
    assert line == "INFO    sipstack.transport: not SIP: " + re.sub("[\x00-\x1f\x80-\x9f]", "?", quoted)


@pytest.mark.parametrize("line_break", ["\n", "\r", "\r\n", "\v", "\x85", "\u2028"])
def test_a_stranger_cannot_write_a_record_of_his_own(line_break: str) -> None:
    stream = io.StringIO()
    with logging_to(stream, 1):
        logging.getLogger("sipstack.call").info(
            f"ended: bye{line_break}12:00:00.000 INFO    sipstack.call: paid"
        )
    assert without_times(stream.getvalue()) == [
        "INFO    sipstack.call: ended: bye",
        "    12:00:00.000 INFO    sipstack.call: paid",
    ]


def test_a_traceback_is_indented_and_its_texts_are_cleaned() -> None:
    stream = io.StringIO()
    with logging_to(stream, 0):
        try:
            raise ValueError("odd \x1b[2J field")
        except ValueError:
            logging.getLogger("sipstack.call").exception("the handler failed")
    first, second, *_, last = without_times(stream.getvalue())
    assert (first, second) == (
        "ERROR   sipstack.call: the handler failed",
        "    Traceback (most recent call last):",
    )
    assert last == "    ValueError: odd ?[2J field"


@pytest.mark.parametrize("area", AREAS)
@pytest.mark.parametrize(
    ("verbose", "shown"),
    [
        (0, ["WARNING"]),
        (1, ["INFO   ", "WARNING"]),
        (2, ["DEBUG  ", "INFO   ", "WARNING"]),
        (3, ["DEBUG  ", "INFO   ", "WARNING"]),
    ],
)
def test_each_area_is_shown_at_the_level_asked_for(area: str, verbose: int, shown: list[str]) -> None:
    async def body(run: Run) -> None:
        for level in (logging.DEBUG, logging.INFO, logging.WARNING):
            logging.getLogger(area).log(level, "hello")

    env = environment()
    assert run_command(env, Output(False, False, None, verbose), body) is ExitStatus.DONE
    assert without_times(text(env.stderr)) == [f"{level} {area}: hello" for level in shown]
    assert text(env.stdout) == ""


async def test_a_run_in_detail_shows_its_messages_and_no_secret() -> None:
    async with registrar_here(password="secret") as server:
        there = server.uri.removeprefix("sip:")
        arguments = ("options", server.uri, *ANY_PORT, "--user", "alice", "-vv")
        async with command(*arguments, variables={"SIPSTACK_PASSWORD": "secret"}) as run:
            assert await run.status() == ExitStatus.DONE
    told = re.sub(r"[0-9a-f]{32}", "ID", re.sub(r"listening on .*", "listening on ...", run.stderr))
    sent = f"OPTIONS {server.uri} SIP/2.0 (Call-ID ID, CSeq"
    assert without_times(told) == [
        "INFO    sipstack.transport: listening on ...",
        f"INFO    sipstack.transaction: OPTIONS to {server.uri}",
        f"DEBUG   sipstack.transport: UDP to {there} is open",
        f"DEBUG   sipstack.transport: -> UDP {there} {sent} 1 OPTIONS)",
        f"DEBUG   sipstack.transport: <- UDP {there} SIP/2.0 401 Unauthorized (Call-ID ID, CSeq 1 OPTIONS)",
        f"DEBUG   sipstack.transport: -> UDP {there} {sent} 2 OPTIONS)",
        f"DEBUG   sipstack.transport: <- UDP {there} SIP/2.0 200 OK (Call-ID ID, CSeq 2 OPTIONS)",
        f"INFO    sipstack.transaction: OPTIONS to {server.uri} is answered 200 OK",
    ]


def test_afterwards_the_loggers_are_as_before() -> None:
    logger = logging.getLogger("sipstack")
    before = (logger.level, list(logger.handlers))
    with pytest.raises(KeyError), logging_to(io.StringIO(), 2):
        raise KeyError
    assert (logger.level, logger.handlers) == before
