"""Two phones: that of a page, and ours, which the page is connected to by secure WebSocket."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs

from interop.asterisk.listening import answering, eventually, hear_tone, next_call
from interop.asterisk.sound import RATE, tone, write_wav
from interop.browser.chromium import Page
from sipstack import AudioSession, Call, IncomingRequest, Tls, TracedMessage, UserAgent
from sipstack.testing.certificates import CertificateAuthority

HOST = "127.0.0.1"
US = f"sip:us@{HOST}"
OUR_TONE, THEIR_TONE = 440, 620  # Hz
NEAR = 15.0  # Hz: the page has bins of some 12


@attrs.define
class Phones:
    """``ua`` is ours. ``codec`` is what our calls know, one alone, so that there is no doubt about it."""

    page: Page
    library: str
    folder: Path
    ua: UserAgent
    trace: list[TracedMessage]
    codecs: list[str]
    """What calls begun from now on know."""
    contact: str = ""
    """Where the page is, once it has registered."""

    @property
    def beep(self) -> Path:
        return write_wav(self.folder / "ours.wav", tone(OUR_TONE, 1.0))

    # -- calls -----------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def called_by_page(self) -> AsyncIterator[Call]:
        """Our end of a call that the page has begun; we say our tone."""
        async with answering(self.ua) as calls:
            assert await self.page.call("phone.call", US) == 200
            call = await next_call(calls)
            async with call.playing(self.beep, loop=True):
                yield call

    @asynccontextmanager
    async def calling_page(self) -> AsyncIterator[Call]:
        """Our end of a call that we have begun; we say our tone."""
        async with self.ua.invite(self.contact) as outgoing:
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

    async def page_is(self, state: str) -> None:
        """Wait until its call stands so."""

        async def reached() -> bool:
            return bool(await self.page.call("phone.stands") == state)

        await eventually(reached)

    async def page_hears(self, frequency: float, low: float = 50, high: float = 4000) -> None:
        """Wait until this is the loudest frequency in a band; 0 is silence."""

        async def heard() -> bool:
            return abs(await self.page.call("phone.heard", low, high) - frequency) <= NEAR

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

    async def nothing_is_left(self, files: int) -> None:
        """No call, dialog, task, or more open ``files`` than these; see ``open_files``."""
        await eventually(lambda: not leftovers(self.ua) and open_files() <= files)


def open_files() -> int:
    """Descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))


def leftovers(ua: UserAgent) -> list[str]:
    """What a user agent still holds of its calls."""
    runtime = ua._running
    assert runtime is not None
    tasks = [task.get_name() for task in asyncio.all_tasks() if "sipstack" in task.get_name()]
    return [*map(repr, runtime.live), *runtime.core.leftovers(), *tasks]


@asynccontextmanager
async def phones(page: Page, library: str, folder: Path) -> AsyncIterator[Phones]:
    """Both, connected and registered; the page says its tone in calls."""
    trace: list[TracedMessage] = []
    codecs = ["opus"]
    certificate, key = CertificateAuthority().issue(HOST).write(folder, "server")

    async def bind(request: IncomingRequest) -> None:
        (contact,) = request.request.headers.raw("Contact")
        both.contact = contact.partition("<")[2].partition(">")[0]
        await request.respond(200, headers=(("Contact", f"<{both.contact}>;expires=600"),))

    async with (
        UserAgent(
            US,
            listen=f"wss:{HOST}:0",
            tls=Tls(certificate=certificate, key=key),
            media=lambda host: AudioSession(host, codecs=codecs, security="dtls", sample_rate=RATE),
            trace=trace.append,
        ) as ua,
        ua.serving(requests={"REGISTER": bind}),
    ):
        both = Phones(page, library, folder, ua, trace, codecs)
        await connect(both)
        yield both
        await page.call("phone.stop")


async def connect(both: Phones) -> None:
    """The page connects and registers, after it was loaded."""
    ((_, _, port),) = both.ua.listening
    server = f"wss://{HOST}:{port}/"
    settings = {
        "user": "carol", "domain": HOST, "server": server, "password": "", "frequency": THEIR_TONE
    }  # fmt: skip
    await both.page.call("phone.start", both.library, settings)
    assert await both.page.call("phone.register") == 200
