"""``--sessions KIND``: see ``interop.stores``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from interop.stores import KINDS, Switch, switched_on

_switch = pytest.StashKey[Switch]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sessions", choices=KINDS, help="give every user agent such a store of sessions")


def pytest_configure(config: pytest.Config) -> None:
    kind = config.getoption("--sessions")
    if kind is not None:
        stack = ExitStack()
        config.add_cleanup(stack.close)
        config.stash[_switch] = stack.enter_context(switched_on(kind))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """The run fails where the switch did nothing, or a store could not keep what it was given."""
    switch = session.config.stash.get(_switch, None)
    if switch is not None and session.exitstatus == pytest.ExitCode.OK and not switch.worked:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    switch = config.stash.get(_switch, None)
    if switch is not None:
        worked = {"green": True} if switch.worked else {"red": True}
        terminalreporter.write_line(f"sessions: {switch.summary()}", **worked)


@pytest.fixture
def sealed(pytestconfig: pytest.Config) -> bool:
    """Whether sessions are sealed in this run. Then a call that we place has an UPDATE of ours soon after its
    2xx, or a re-INVITE where the peer takes none, and we ask the peer to be the one who refreshes.
    """
    return bool(pytestconfig.getoption("--sessions") == "sealed")


@pytest.fixture
def session_store(pytestconfig: pytest.Config, tmp_path: Path) -> tuple[str, ...]:
    """The options by which a command of ours takes part; none where it cannot."""
    in_file = pytestconfig.getoption("--sessions") == "sqlite"
    return ("--session-store", str(tmp_path / "calls.db")) if in_file else ()
