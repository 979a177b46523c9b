"""Two phones: that of a page, and ours, which the page is connected to by secure WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs

from interop.asterisk.listening import answering, eventually, hear_tone, next_call
from interop.asterisk.sound import RATE, tone, write_wav
from interop.browser.chromium import Page
from sipstack import AudioSession, Call, IncomingRequest, Tls, UserAgent
from sipstack.testing.certificates import CertificateAuthority
from sipstack.ua.runtime import MediaFactory

HOST = "127.0.0.1"
US = f"sip:us@{HOST}"
OUR_TONE, THEIR_TONE = 440, 620  # Hz
NEAR = 15.0  # Hz: the page has bins of some 12


@attrs.define
class Phones:
    """``ua`` is ours, and ``us`` what the page calls it; ``account`` is the page's, ``contact`` what we call
    it. ``media`` is that of the calls that we begin, where it is not the user agent's. ``folder`` is for
    files.
    """

    page: Page
    library: str
    folder: Path
    ua: UserAgent
    us: str
    account: Mapping[str, str]
    contact: str = ""
    media: MediaFactory | None = None

    @property
    def beep(self) -> Path:
        return write_wav(self.folder / "ours.wav", tone(OUR_TONE, 1.0))

    # -- calls -----------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def called_by_page(self) -> AsyncIterator[Call]:
        """Our end of a call that the page has begun; we say our tone."""
        async with answering(self.ua) as calls:
            assert await self.page.call("phone.call", self.us) == 200
            call = await next_call(calls)
            async with call.playing(self.beep, loop=True):
                yield call

    @asynccontextmanager
    async def calling_page(self) -> AsyncIterator[Call]:
        """Our end of a call that we have begun; we say our tone."""
        async with self.ua.invite(self.contact, media=self.media) as outgoing:
            await self.page_is("ringing")
            await self.page.call("phone.answer")
            call = await outgoing.answered()
            async with call.playing(self.beep, loop=True):
                yield call

    async def both_are_heard(self, call: Call) -> None:
        """By the page and by us."""
        await hear_tone(call.audio, THEIR_TONE)
        await self.page_hears(OUR_TONE)

    # -- the page --------------------------------------------------------------------------------------------

    async def connect(self, frequency: float | None = THEIR_TONE) -> None:
        """It connects and registers, after it was loaded. In calls it says a tone, or with None what its
        microphone takes up.
        """
        await self.page.call("phone.start", self.library, {**self.account, "frequency": frequency})
        assert await self.page.call("phone.register") == 200

    async def page_is(self, state: str) -> None:
        """Wait until its call stands so."""

        async def reached() -> bool:
            return bool(await self.page.call("phone.stands") == state)

        await eventually(reached)

    async def page_hears(self, frequency: float, low: float = 50, high: float = 4000) -> None:
        """Wait until this is the loudest frequency in a band; 0 is silence."""

        async def heard() -> bool:
            return bool(abs(await self.page.call("phone.heard", low, high) - frequency) <= NEAR)

        await eventually(heard)

    async def reload(self) -> None:
        """As a user does: without a word of the phone. Over when the page is there again."""
        await self.page.evaluate("window.isOld = true")
        await self.page.evaluate("void setTimeout(() => location.reload(), 20)")
        await eventually(self._is_new)
        await self.page.loaded()

    async def _is_new(self) -> bool:
        return not await self.page.evaluate("window.isOld")

    # -- what is left ----------------------------------------------------------------------------------------

    async def nothing_is_left(self, before: Held) -> None:
        """No call, no dialog, and no task or open file that was not there ``before``."""
        runtime = self.ua._running
        assert runtime is not None

        def left() -> list[str]:
            return [*map(repr, runtime.live), *runtime.core.leftovers(), *before.grown()]

        with contextlib.suppress(TimeoutError):
            await eventually(lambda: not left())
        assert left() == [], "; ".join(left())


class Held:
    """What this process holds now, to be compared with later."""

    def __init__(self) -> None:
        self._files = _open_files()
        self._tasks = asyncio.all_tasks()

    def grown(self) -> list[str]:
        """What it holds beyond that, in words."""
        files = _open_files() - self._files
        tasks = [repr(task) for task in asyncio.all_tasks() - self._tasks]
        return [*tasks, *([f"{files} more files are open"] if files > 0 else [])]


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def our_phone(folder: Path, codec: str | None, *, port: int = 0, **options: Any) -> UserAgent:
    """It knows one codec alone, so that there is no doubt about it; None: it is told nothing of media."""
    certificate, key = CertificateAuthority().issue(HOST).write(folder, "server")

    def media(host: str) -> AudioSession:
        return AudioSession(host, codecs=[codec or ""], security="dtls", sample_rate=RATE)

    return UserAgent(
        US,
        listen=f"wss:{HOST}:{port}",
        tls=Tls(certificate=certificate, key=key),
        media=media if codec else None,
        **options,
    )


@asynccontextmanager
async def phones(
    page: Page, library: str, folder: Path, codec: str | None, **options: Any
) -> AsyncIterator[Phones]:
    """Both, connected and registered; the page says its tone in calls. ``options``: those of ours."""

    async def bind(request: IncomingRequest) -> None:
        (contact,) = request.request.headers.raw("Contact")
        both.contact = contact.partition("<")[2].partition(">")[0]
        await request.respond(200, headers=(("Contact", f"<{both.contact}>;expires=600"),))

    async with (
        our_phone(folder, codec, **options) as ua,
        ua.serving(requests={"REGISTER": bind}),
    ):
        ((_, _, port),) = ua.listening
        account = {"user": "carol", "domain": HOST, "server": f"wss://{HOST}:{port}/", "password": ""}
        both = Phones(page, library, folder, ua, US, account)
        await both.connect()
        yield both
