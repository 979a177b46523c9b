"""Sealed sessions with browsers: the user part of our Contact comes back as it was; the session of a call
fits into it, and another process goes on with that.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from interop.asterisk.listening import eventually
from interop.browser.chromium import Page
from interop.browser.pair import our_phone, phones
from interop.kamailio.traces import messages, requests
from interop.sealed import LENGTHS, Letters, given_back
from sipstack import Call, Response, TracedMessage
from sipstack.message import SipUri
from sipstack.store.sealed import Sealed
from sipstack.testing.killing import kill

KEYS = [bytes(range(32))]


@pytest.mark.parametrize("length", LENGTHS)
async def test_what_the_page_asks_in_its_call_comes_to_the_contact_that_it_took(
    page: Page, library: str, tmp_path: Path, length: int
) -> None:
    """From the 200 to its call, and from a re-INVITE of ours. Those of the 200s to its own re-INVITEs neither
    library takes (unlike RFC 3261 §12.2.1.2): that we see by the next request, and then tell it ourselves.
    """
    trace: list[TracedMessage] = []
    async with phones(page, library, tmp_path, "opus", sessions=Letters(length), trace=trace.append) as pair:
        async with pair.called_by_page() as call:
            assert await page.call("phone.hold") == 200
            await asyncio.sleep(2.5)
            assert await page.call("phone.resume") == 200
            await eventually(lambda: bool(requests(trace, "INVITE", sent=True)))
            await asyncio.sleep(1)
            await page.call("phone.hangUp")
            assert (await asyncio.wait_for(call.ended(), 10)).by == "remote"
    told = [user(each) for each in messages(trace, sent=True) if is_accepted_invite(each)]
    _, hold, resume = requests(trace, "INVITE", sent=False)
    assert isinstance(hold.uri, SipUri)
    assert isinstance(resume.uri, SipUri)
    assert (hold.uri.user, resume.uri.user) == (told[0], told[0])
    assert len(told[0]) == length
    assert given_back(trace, length, "INVITE")


@pytest.mark.parametrize("length", LENGTHS)
async def test_what_it_asks_in_a_call_of_ours_comes_to_that_of_our_reinvite(
    page: Page, library: str, tmp_path: Path, length: int
) -> None:
    trace: list[TracedMessage] = []
    async with phones(page, library, tmp_path, "opus", sessions=Letters(length), trace=trace.append) as pair:
        async with pair.calling_page() as call:
            await asyncio.sleep(1)
            await page.call("phone.hangUp")
            assert (await asyncio.wait_for(call.ended(), 10)).by == "remote"
    assert given_back(trace, length)


async def test_the_whole_call_fits_and_another_process_goes_on_with_it(
    page: Page, library: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The first is killed; the page connects again, which is the other one now, and resumes its call there:
    with new keys, over a new way.
    """
    trace: list[TracedMessage] = []
    resumed: list[Call] = []

    async def go_on(call: Call) -> None:
        resumed.append(call)
        async with call.playing(pair.beep, loop=True):
            await call.ended()

    with caplog.at_level(logging.WARNING, "sipstack"):
        async with phones(
            page, library, tmp_path, "opus", sessions=Sealed(KEYS, 0), trace=trace.append
        ) as pair:
            ((_, _, port),) = pair.ua.listening
            async with pair.called_by_page() as call:
                await pair.both_are_heard(call)
                await kill(pair.ua)
                heir = our_phone(tmp_path, "opus", port=port, sessions=Sealed(KEYS, 1), on_resume=go_on)
                async with heir:
                    await page.call("phone.cut")
                    assert await page.call("phone.hold") == 200
                    assert await page.call("phone.resume") == 200
                    await pair.both_are_heard(resumed[0])
                    await page.call("phone.hangUp")
                    await eventually(lambda: not heir.calls)
    assert "does not fit" not in caplog.text
    (accepted,) = [user(each) for each in messages(trace, sent=True) if is_accepted_invite(each)]
    assert 250 < len(accepted) < 400


def is_accepted_invite(message: object) -> bool:
    return isinstance(message, Response) and message.status == 200 and message.cseq.method == "INVITE"


def user(message: object) -> str:
    assert isinstance(message, Response)
    uri = message.contacts[0].uri
    assert isinstance(uri, SipUri)
    return uri.user or ""
