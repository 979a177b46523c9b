"""Invalid session descriptions, and bodies of other kinds."""

from __future__ import annotations

import random

from scapy.volatile import RandBin, RandNum, RandString

from tests.live.attack import attack
from tests.live.attacker import SDP, Attacker
from tests.live.sip import SipRequest

ANSWERS = {200, 400, 406, 415, 488}
# Not c=: a spoiled address would be looked up as a name.
SPOILT = {
    "v=": ["v=1", "v=", "v=0 ", "v=00000000000000000000000"],
    "o=": ["o=", "o=- 1 1 IN IP4", f"o=- {2**70} -1 IN IP4 127.0.0.2", "o=a b c d e f g"],
    "s=": ["s=", "s", "=s", "s=\x00", "s=\xff"],
    "t=": ["t=", "t=-1 -1", "t=a b", f"t={2**64} 0", "t=0 0\r\nr=1\r\nz=1"],
    "m=": [
        *("m=", "m=audio", "m=audio 9", "m=audio 9 RTP/AVP", "m=audio 99999 RTP/AVP 0"),
        *("m=audio -1 RTP/AVP 0", "m=audio 9/9999999999 RTP/AVP 0", "m=audio 9 RTP/SAVP 0"),
        *("m=audio 9 RTP/AVP 128", "m=audio 9 RTP/AVP x", "m=video 9 RTP/AVP 0", "m=audio 0 RTP/AVP 0"),
        *("m=audio 9 RTP/AVP " + "0 " * 5000, "m=audio 9 RTP/AVP 0\r\n" * 500 + "m=audio 9 RTP/AVP 0"),
    ],
    "a=rtpmap": [
        *("a=rtpmap:", "a=rtpmap:0", "a=rtpmap:0 PCMU", "a=rtpmap:0 PCMU/", "a=rtpmap:0 PCMU/0"),
        *("a=rtpmap:0 PCMU/-8000", "a=rtpmap:0 PCMU/8000/255", f"a=rtpmap:0 PCMU/{10**30}"),
        *("a=rtpmap:999 PCMU/8000", "a=rtpmap:0 PCMA/8000\r\na=rtpmap:0 PCMU/8000", "a=ptime:0"),
        *("a=ptime:-20", f"a=ptime:{10**20}", "a=rtcp:99999", "a=rtcp:x", "a=fmtp:0", "a=" * 3000),
    ],
    "a=sendrecv": ["a=sendrecv\r\na=inactive", "a=", "a=SENDRECV", "b=AS:-1", "k=prompt", "x=y"],
}


def offers(peer: Attacker) -> list[str]:
    """The description of a valid offer with one line spoiled at a time."""
    lines = SDP.format(host=peer.host, port=9).removesuffix("\r\n").split("\r\n")
    made = []
    for start, instead in SPOILT.items():
        place = next(place for place, line in enumerate(lines) if line.startswith(start))
        for spoiled in [*instead, str(RandString(60)), bytes(RandBin(40)).decode("latin-1")]:
            made.append("\r\n".join([*lines[:place], spoiled, *lines[place + 1 :], ""]))
        made.append("\r\n".join([*lines[:place], *lines[place + 1 :], ""]))
        made.append("\r\n".join([*lines[: place + 1], *lines[place:], ""]))
    return [*made, "\r\n".join(lines), "\n".join(lines), "\r".join(lines), "\0", "\r\n", "v=0\r\n"]


async def test_a_spoiled_session_description_is_answered_or_refused() -> None:
    random.seed(9)
    async with attack() as attacked:
        peer = attacked.peer()
        requests = [_invite(peer, offer.encode("latin-1")) for offer in offers(peer)]
        await peer.send_all(requests)
        statuses = [await peer.status(request) for request in requests]
        assert set(statuses) <= ANSWERS
        assert {200, 488} <= set(statuses)


def _invite(peer: Attacker, body: bytes, content_type: str = "application/sdp") -> SipRequest:
    invite = peer.invite(("Content-Length", len(body)))
    for field in invite.headers:
        if field.label == b"Content-Length":
            field.value = str(len(body)).encode()
        elif field.label == b"Content-Type":
            field.value = content_type.encode()
    invite.body = body
    return invite


CONTENT_TYPES = [
    ("multipart/mixed;boundary=x", b"--x\r\n\r\nv=0\r\n--x--\r\n", 415),
    ("multipart/mixed", b"--x--", 415),
    ('multipart/mixed;boundary=""', b"----", 415),
    ("multipart/mixed;boundary=" + "x" * 5000, b"--x", 415),
    ("multipart/mixed;boundary=x", b"--x\r\nContent-Type: application/sdp\r\n\r\n\0\r\n--x--", 488),
    ("multipart/mixed;boundary=x", b"--x\r\nContent-Type: multipart/mixed;boundary=x\r\n\r\n" * 500, 415),
    ("application/sdp;charset=UTF-16", b"\xff\xfe", 488),
    ("application/SDP", b"x", 488),
    ("text/plain", b"v=0", 415),
    ("application", b"v=0", 415),
    ("/", b"v=0", 415),
]
"""Content-Type, body, and the status of the refusal."""


async def test_bodies_of_other_kinds_are_refused() -> None:
    random.seed(10)
    async with attack() as attacked:
        peer = attacked.peer()
        statuses = [await peer.ask(_invite(peer, body, kind)) for kind, body, _ in CONTENT_TYPES]
        assert statuses == [status for _, _, status in CONTENT_TYPES]
        noise = [_invite(peer, bytes(RandBin(RandNum(1, 2000)))) for _ in range(30)]
        assert {await peer.ask(request) for request in noise} == {488}
