"""A headless Chromium, driven by its own DevTools protocol: a page, and functions called in it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from interop.processes import ended_with_us, tail

START_TIMEOUT = 30.0  # seconds; two are usual
CALL_TIMEOUT = 20.0
STOP_TIMEOUT = 5.0
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
            while not await self.evaluate("location.protocol == 'file:' && document.readyState == 'complete'"):
                await asyncio.sleep(0.02)

    async def call(self, function: str, *arguments: object) -> Any:
        """The value of a function of the page, of values that JSON can hold."""
        return await self.evaluate(f"{function}({', '.join(map(json.dumps, arguments))})")


@asynccontextmanager
async def page(script: str, folder: Path, microphone: Path | None = None) -> AsyncIterator[Page]:
    """A page of a browser of its own, whose profile and log are in ``folder``. A WAV file takes the place of
    the microphone.
    """
    (folder / "page.js").write_text(script, encoding="utf-8")
    document = folder / "page.html"
    document.write_text('<!doctype html><meta charset="utf-8"><script src="page.js"></script>')
    flags = [f"--use-file-for-fake-audio-capture={microphone}"] if microphone else []
    async with _browser(folder, [*flags, document.as_uri()]) as port:
        address = await asyncio.to_thread(_tab, port)
        async with connect(address, max_size=None, compression=None) as tab:
            opened = Page(tab)
            await opened.loaded()
            yield opened


@asynccontextmanager
async def _browser(folder: Path, arguments: list[str]) -> AsyncIterator[int]:
    profile = folder / "profile"
    command = [*ended_with_us(), program() or "chromium", *FLAGS, f"--user-data-dir={profile}", *arguments]
    with (folder / "chromium.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # its processes are ended with it
        )
    try:
        yield await _port(process, profile / "DevToolsActivePort", folder / "chromium.log")
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _port(process: asyncio.subprocess.Process, written: Path, log: Path) -> int:
    """The port of its DevTools, which it writes into a file when it is up."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START_TIMEOUT):
            while process.returncode is None:
                if port := _written_port(written):
                    return port
                await asyncio.sleep(0.05)
    raise RuntimeError(f"Chromium did not start:\n{tail(log)}")


def _written_port(path: Path) -> int | None:
    text = path.read_text() if path.exists() else ""
    return int(text.split()[0]) if "\n" in text else None


def _tab(port: int) -> str:
    """The address of the one page that it has."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=START_TIMEOUT) as answer:
        pages = [each for each in json.load(answer) if each["type"] == "page"]
    return str(pages[0]["webSocketDebuggerUrl"])
