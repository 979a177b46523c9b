"""A headless Chromium, driven by its own DevTools protocol: a page, and functions called in it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import attrs
from websockets.asyncio.client import ClientConnection, connect

from interop.processes import ended_with_us, tail

START_TIMEOUT = 30.0  # seconds; two are usual
CALL_TIMEOUT = 20.0
STOP_TIMEOUT = 5.0
IS_LOADED = "location.protocol == 'file:' && document.readyState == 'complete'"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",  # it may run as root: it sees our own page only
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--ignore-certificate-errors",  # our own authority
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",  # no microphone is asked for
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--remote-debugging-port=0",
)


class ScriptError(Exception):
    """A function of the page threw."""


def program() -> str | None:
    """The path of a Chromium, None where there is none."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Page:
    """One page, which is empty but for the script: from a file, so that it may ask for the microphone."""

    def __init__(self, tab: ClientConnection) -> None:
        self._tab = tab
        self._sent = 0

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript, awaited there. Raises ScriptError when it throws."""
        self._sent += 1
        parameters = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        request = {"id": self._sent, "method": "Runtime.evaluate", "params": parameters}
        async with asyncio.timeout(CALL_TIMEOUT):
            await self._tab.send(json.dumps(request))
            while (answer := json.loads(await self._tab.recv())).get("id") != self._sent:
                pass  # an event
        if "error" in answer:
            raise ScriptError(answer["error"]["message"])
        if "exceptionDetails" in answer["result"]:
            details = answer["result"]["exceptionDetails"]
            raise ScriptError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"]["result"].get("value")

    async def loaded(self) -> None:
        """Wait until the script has been run."""
        async with asyncio.timeout(START_TIMEOUT):
            while not await self.evaluate(IS_LOADED):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def call(self, function: str, *arguments: object) -> Any:
        """The value of a function of the page, of values that JSON can hold."""
        return await self.evaluate(f"{function}({', '.join(map(json.dumps, arguments))})")


@asynccontextmanager
async def page(browser: Browser, script: str, folder: Path) -> AsyncIterator[Page]:
    """A new page of the browser, whose files are in ``folder``."""
    (folder / "page.js").write_text(script, encoding="utf-8")
    document = folder / "page.html"
    document.write_text('<!doctype html><meta charset="utf-8"><script src="page.js"></script>')
    tab = await asyncio.to_thread(browser.open, document.as_uri())
    try:
        async with connect(tab["webSocketDebuggerUrl"], max_size=None, compression=None) as connection:
            opened = Page(connection)
            await opened.loaded()
            yield opened
    finally:
        await asyncio.to_thread(browser.close, tab["id"])


@attrs.frozen
class Browser:
    """A running browser, by the port of its DevTools."""

    process: subprocess.Popen[bytes]
    port: int

    def open(self, address: str) -> dict[str, str]:
        """A new tab, as DevTools describes it."""
        found: dict[str, str] = json.loads(self._ask("PUT", f"new?{address}"))
        return found

    def close(self, tab: str) -> None:
        """Does nothing when the browser is gone."""
        with contextlib.suppress(OSError):
            self._ask("GET", f"close/{tab}")

    def kill(self) -> None:
        """With all its processes, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _ask(self, method: str, path: str) -> bytes:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/json/{path}", method=method)
        with urllib.request.urlopen(request, timeout=START_TIMEOUT) as answer:
            return bytes(answer.read())


@contextmanager
def running(folder: Path, microphone: Path) -> Iterator[Browser]:
    """A browser, whose profile and log are in ``folder``. A WAV file takes the place of the microphone."""
    profile, log = folder / "profile", folder / "chromium.log"
    own = [f"--use-file-for-fake-audio-capture={microphone}", f"--user-data-dir={profile}"]
    command = [*ended_with_us(), program() or "chromium", *FLAGS, *own, "about:blank"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # its processes are ended with it
        )
    try:
        browser = Browser(process, _port(process, profile / "DevToolsActivePort", log))
        yield browser
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _port(process: subprocess.Popen[bytes], written: Path, log: Path) -> int:
    """The port of its DevTools, which it writes into a file when it is up."""
    until = time.monotonic() + START_TIMEOUT
    while process.poll() is None and time.monotonic() < until:
        if port := _written_port(written):
            return port
        time.sleep(0.05)
    raise RuntimeError(f"Chromium did not start:\n{tail(log)}")


def _written_port(path: Path) -> int | None:
    text = path.read_text() if path.exists() else ""
    return int(text.split()[0]) if "\n" in text else None
