"""The media of a browser and ours, without SIP between them: ICE, DTLS-SRTP, tones in both directions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from interop.asterisk.listening import hear_tone
from interop.asterisk.sound import tone, write_wav
from interop.browser import chromium
from interop.browser.chromium import Browser, Page
from sipstack import AudioSession, sdp
from sipstack.media import MediaEvent, MediaFailed

OUR_TONE, THEIR_TONE = 440, 620  # Hz
HOST = "127.0.0.1"

SCRIPT = """
window.media = {
  async open(frequency) {
    this.peer = new RTCPeerConnection();
    this.context = new AudioContext();
    const oscillator = this.context.createOscillator();
    oscillator.frequency.value = frequency;
    const output = this.context.createMediaStreamDestination();
    oscillator.connect(output);
    oscillator.start();
    this.peer.addTrack(output.stream.getTracks()[0], output.stream);
    this.peer.ontrack = ({ track }) => {
      const stream = new MediaStream([track]);
      this.element = new Audio();  // Chromium plays only what an element has
      this.element.srcObject = stream;
      this.element.muted = true;
      this.element.play();
      this.analyser = this.context.createAnalyser();
      this.analyser.fftSize = 4096;
      this.context.createMediaStreamSource(stream).connect(this.analyser);
    };
  },
  async described() {
    const done = new Promise((resolve) => {
      this.peer.onicegatheringstatechange = () => this.peer.iceGatheringState === "complete" && resolve();
    });
    await this.peer.setLocalDescription();
    if (this.peer.iceGatheringState !== "complete") await done;
    return this.peer.localDescription.sdp;
  },
  async answered(type, sdp) { await this.peer.setRemoteDescription({ type, sdp }); },
  // The loudest frequency of what comes.
  heard() {
    if (!this.analyser) return 0;
    const bins = new Float32Array(this.analyser.frequencyBinCount);
    this.analyser.getFloatFrequencyData(bins);
    const loudest = bins.indexOf(Math.max(...bins));
    return bins[loudest] > -60 ? loudest * this.context.sampleRate / this.analyser.fftSize : 0;
  },
  state() { return this.peer.connectionState; },
};
"""


@pytest.fixture
async def page(browser: Browser, tmp_path: Path) -> AsyncIterator[Page]:
    async with chromium.page(browser, SCRIPT, tmp_path) as opened:
        await opened.evaluate(f"media.open({THEIR_TONE})")
        yield opened


async def both_are_heard(page: Page, session: AudioSession, folder: Path) -> None:
    path = write_wav(folder / "tone.wav", tone(OUR_TONE, 1.0))
    async with session.audio.playing(path, loop=True):
        await hear_tone(session.audio, THEIR_TONE)
        async with asyncio.timeout(10):
            while abs(await page.evaluate("media.heard()") - OUR_TONE) > 15:  # noqa: ASYNC110
                await asyncio.sleep(0.1)


async def test_a_browser_offers_and_offers_again(page: Page, tmp_path: Path) -> None:
    session = AudioSession(HOST)
    for _ in range(2):  # the second is as a hold or resume would be
        answer = await session.answer(sdp.parse(await page.evaluate("media.described()")))
        session.confirmed()
        await page.call("media.answered", "answer", str(answer))
        await both_are_heard(page, session, tmp_path)
    assert (session.security or "").startswith("DTLS-SRTP A")
    assert await page.evaluate("media.state()") == "connected"
    await session.close()


async def test_a_browser_answers(page: Page, tmp_path: Path) -> None:
    session = AudioSession(HOST, security="dtls")
    await page.call("media.answered", "offer", str(await session.offer()))
    await session.answered(sdp.parse(await page.evaluate("media.described()")))
    await both_are_heard(page, session, tmp_path)
    await session.close()


async def test_a_browser_begins_ice_anew(page: Page, tmp_path: Path) -> None:
    session = AudioSession(HOST)
    for again in range(2):
        if again:
            await page.evaluate("media.peer.restartIce()")
        answer = await session.answer(sdp.parse(await page.evaluate("media.described()")))
        session.confirmed()
        await page.call("media.answered", "answer", str(answer))
        await both_are_heard(page, session, tmp_path)
    await session.close()


@pytest.mark.parametrize("more", ["addTransceiver('video')", "createDataChannel('texts')"])
async def test_a_browser_that_offers_more_in_the_same_group_gets_audio(
    page: Page, tmp_path: Path, more: str
) -> None:
    session = AudioSession(HOST)
    await page.evaluate(f"void media.peer.{more}")
    offer = sdp.parse(await page.evaluate("media.described()"))
    answer = await session.answer(offer)
    session.confirmed()
    assert [medium.rejected for medium in answer.media] == [False, True]
    await page.call("media.answered", "answer", str(answer))
    await both_are_heard(page, session, tmp_path)
    await session.close()


async def test_a_page_that_is_loaded_again_is_told_as_media_that_has_ended(
    page: Page, tmp_path: Path
) -> None:
    session = AudioSession(HOST)
    events: list[MediaEvent] = []
    session.attach(events.append)
    answer = await session.answer(sdp.parse(await page.evaluate("media.described()")))
    session.confirmed()
    await page.call("media.answered", "answer", str(answer))
    await both_are_heard(page, session, tmp_path)
    await page.evaluate("void setTimeout(() => location.reload(), 50)")
    async with asyncio.timeout(10):
        while not events:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert [type(event) for event in events] == [MediaFailed]
    await session.close()
    await asyncio.sleep(0.1)
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("sipstack")] == []
