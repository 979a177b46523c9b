"""One sipp process on loopback: started with our options, bounded in time, stopped by its pid."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

from interop.ports import HOST, free_port
from interop.sipp import messages, statistics
from interop.sipp.messages import Message
from interop.sipp.statistics import Statistics

SCREEN = 3000
"""Characters of sipp's screen that are kept."""
SCENARIOS = Path(__file__).parent / "scenarios"


def installed() -> bool:
    """Whether there is a ``sipp`` on PATH."""
    return shutil.which("sipp") is not None


LISTENING = "0A"  # the state of a socket in /proc/net/tcp


def bound(port: int, protocol: str = "udp") -> bool:
    """Whether a process on this machine holds the port, or listens at it for ``protocol="tcp"``.

    Nothing is disturbed: it is read from /proc.
    """
    entry = f":{port:04X}"
    rows = [row.split() for row in Path(f"/proc/net/{protocol}").read_text(encoding="ascii").splitlines()[1:]]
    return any(row[1].endswith(entry) and (protocol == "udp" or row[3] == LISTENING) for row in rows)


def wait_bound(
    port: int, timeout: float, alive: Callable[[], bool] = lambda: True, protocol: str = "udp"
) -> bool:
    """Waits until the port is bound; False after ``timeout`` seconds, or when its owner is not alive."""
    deadline = time.monotonic() + timeout
    while not bound(port, protocol):
        if time.monotonic() > deadline or not alive():
            return False
        time.sleep(0.01)
    return True


ALLOW = "Allow: INVITE, ACK, CANCEL, BYE, UPDATE"
ALLOWING = re.compile(r"^(( *)(?:INVITE \S+ SIP/2\.0|SIP/2\.0 200 OK))\n", re.M)
INVITES = re.compile(r"^(( *)INVITE \S+ SIP/2\.0)\n", re.M)


def _taking_updates(scenario: str) -> str | None:
    """The scenario, with UPDATE among the methods that it supports; None where it has that already. It is
    believed of a caller who supports session timers.
    """
    path = SCENARIOS / f"{scenario}.xml"
    if path.is_file():
        text = path.read_text(encoding="utf-8")
    else:
        shown = subprocess.run(["sipp", "-sd", scenario], capture_output=True, text=True, check=False)
        text = shown.stdout[shown.stdout.index("<?xml") :]
    if "UPDATE" in text:
        return None
    return INVITES.sub(r"\1\n\2Supported: timer\n", ALLOWING.sub(rf"\1\n\2{ALLOW}\n", text))


@attrs.frozen
class Result:
    """The end of one run: exit status 0 means that every call went as the scenario asks."""

    status: int
    statistics: Statistics
    messages: list[Message]
    errors: str
    screen: str
    """The end of what it wrote to its terminal."""

    @property
    def problems(self) -> str:
        """Empty when each call went as the scenario asks, with nothing sent twice; else all that is known."""
        totals = self.statistics
        if self.status == 0 and not totals.failed and not totals.retransmissions:
            return ""
        ended = f"sipp ended with status {self.status}, {totals}"
        return "\n".join([ended, *self.labels, self.errors, self.screen])

    @property
    def labels(self) -> list[str]:
        """The flow in short: ``["> INVITE", "< 200 INVITE", "> ACK"]`` (see `Message.label`)."""
        return [message.label for message in self.messages]


class Sipp:
    """Runs ``sipp``, as a client when it has a target and as a server without one.

    ``scenario`` is the name of a file in ``scenarios/``, or that of a built-in scenario (``uac``, ``uas``).
    ``transport`` is as sipp has it: ``u1`` is UDP, ``t1`` one connection of TCP, ``tn`` one for each call.
    As a context manager it has bound its port on entry, and has ended on exit.
    """

    def __init__(
        self,
        scenario: str,
        *options: str,
        folder: Path,
        target: str | None = None,
        calls: int | None = 1,
        port: int | None = None,
        core: int | None = None,
        limit: float = 20.0,
        trace: bool = True,
        transport: str = "u1",
        takes_updates: bool = False,
    ) -> None:
        """``takes_updates``: where the scenario has no UPDATE of its own, sipp supports it, answers each with
        200, and tells nothing of them.
        """
        self.port = port or free_port()
        self.limit = limit
        self._folder = folder
        self._name = f"{scenario}-{self.port}"
        self._core = core
        self._tcp = transport.startswith("t")
        self._calls_over_tcp = self._tcp and target is not None
        text = _taking_updates(scenario) if takes_updates else None
        self._answers_updates = text is not None
        if text is not None:
            self._file("xml").write_text(text, encoding="utf-8")
        self._arguments = ["sipp", *([target] if target else []), *self._scenario(scenario)]
        self._arguments += [
            *self._common(trace),
            *(["-t", transport] if self._tcp else []),
            *(["-m", str(calls)] if calls is not None else []),
            *options,
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """Where this sipp is reached."""
        return f"sip:sipp@{HOST}:{self.port}{';transport=tcp' if self._tcp else ''}"

    @property
    def pid(self) -> int:
        """The process id."""
        return self._running.pid

    @property
    def statistics(self) -> Statistics:
        """The totals so far; sipp reports twice a second."""
        return statistics.read(self._file("csv"))

    @property
    def exited(self) -> bool:
        """Whether the process is gone."""
        return self._running.poll() is not None

    def __enter__(self) -> Sipp:
        core = self._core
        with self._file("out").open("wb") as screen:
            self._process = subprocess.Popen(
                self._arguments,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=subprocess.STDOUT,
                preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
            )
        if not self._calls_over_tcp:  # then it binds nothing
            wait_bound(self.port, 5.0, lambda: not self.exited, "tcp" if self._tcp else "udp")
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Kills the process."""
        if not self.exited:
            self._running.kill()
        self._running.wait(10)

    def wait(self) -> Result:
        """Wait until sipp has ended; after ``limit`` seconds it is killed, and the status is negative."""
        deadline = time.monotonic() + self.limit
        while not self.exited and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.result()

    async def ended(self) -> Result:
        """`wait`, while the event loop goes on."""
        return await asyncio.to_thread(self.wait)

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("sipp is not running: enter the context first")
        return self._process

    def result(self) -> Result:
        """Stop sipp if it still runs, and return the result."""
        self.stop()
        errors = self._file("err")
        return Result(
            status=self._running.returncode,
            statistics=self.statistics,
            messages=[
                each
                for each in messages.read(self._file("msg"))
                if not (self._answers_updates and each.method == "UPDATE")
            ],
            errors=errors.read_text(encoding="utf-8", errors="replace") if errors.is_file() else "",
            screen=self._file("out").read_text(encoding="utf-8", errors="replace")[-SCREEN:],
        )

    def _scenario(self, scenario: str) -> Sequence[str]:
        if self._answers_updates:
            return ["-sf", str(self._file("xml")), "-aa"]
        path = SCENARIOS / f"{scenario}.xml"
        return ["-sf", str(path)] if path.is_file() else ["-sn", scenario]

    def _common(self, trace: bool) -> list[str]:
        options = ["-i", HOST, "-p", str(self.port), "-bind_local", "-nostdin"]
        options += ["-timer_resol", "1", "-buff_size", str(4 << 20)]
        options += ["-trace_stat", "-stf", str(self._file("csv")), "-fd", "500ms"]
        if trace:
            options += ["-trace_msg", "-message_file", str(self._file("msg"))]
        return [*options, "-trace_err", "-error_file", str(self._file("err"))]

    def _file(self, suffix: str) -> Path:
        return self._folder / f"{self._name}.{suffix}"


Launch = Callable[..., Sipp]
"""The type of the fixture ``sipp``: makes a `Sipp` in the folder of the test, from the other arguments."""
