"""Without pylibsrtp: what needs it says how to get it, and everything else goes on."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import asyncio, sys
from sipstack import sdp
from sipstack.errors import MediaError, NegotiationError
from sipstack.media.session import AudioSession

OFFER = '''v=0
o=- 1 1 IN IP4 127.0.0.1
c=IN IP4 127.0.0.1
m=audio 4000 {} 0
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR
'''

async def main():
    wants, takes = AudioSession("127.0.0.1", security="sdes"), AudioSession("127.0.0.1")
    for session in (wants, takes):
        session.signalled("127.0.0.1", True)
    try:
        await wants.offer()
    except MediaError as error:
        print(error)
    try:
        await takes.answer(sdp.parse(OFFER.format("RTP/SAVP")))
    except NegotiationError as error:
        print(error)
    answer = await takes.answer(sdp.parse(OFFER.format("RTP/AVP")))
    print(answer.media[0].protocol, answer.media[0].attribute("crypto"), takes.security)
    await wants.close()
    await takes.close()

sys.modules["pylibsrtp"] = None
asyncio.run(main())
"""


def test_srtp_names_its_extra_and_plain_rtp_goes_on() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "SRTP needs pylibsrtp: pip install 'sipstack[media]'",
        "the offer has no stream that we can take",
        "RTP/AVP None None",
    ]
