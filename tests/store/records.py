"""Records of calls as they are: what the tests of the codec write and read, and measure."""

from __future__ import annotations

from sipstack.dialog.dialog import Dialog
from sipstack.sdp.recordable import recordable
from sipstack.usage.invite.record import SessionRecord
from tests.sdp import endpoints

TIMER: dict[str, object] = {
    "interval": 1800,
    "left": 1342,
    "refreshing": True,
    "minimum": 90,
    "supported": True,
    "updates": True,
}
OURS = (
    b"v=0\r\no=- 3067182547910443721 2 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n"
    b"m=audio 42316 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n"
)
THEIRS = (
    b"v=0\r\no=- 1532948162 1532948164 IN IP4 203.0.113.31\r\ns=Asterisk\r\nc=IN IP4 203.0.113.31\r\n"
    b"t=0 0\r\nm=audio 17482 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
    b"a=fmtp:101 0-16\r\na=ptime:20\r\na=maxptime:140\r\na=sendrecv\r\n"
)


def through_a_proxy() -> SessionRecord:
    """A call in G.711 that came in through one proxy, with a session timer."""
    return SessionRecord(
        Dialog(
            call_id="5f0c7f4d-93e2-4bc0-a41e-c8a63a5b9d27",
            local_tag="b1946ac92492d234",
            remote_tag="4ddc0a3e-7f12-4f6c",
            local="<sip:+441632960123@example.com>;tag=b1946ac92492d234",
            remote='"Alice" <sip:+441632960999@example.com>;tag=4ddc0a3e-7f12-4f6c',
            remote_target="sip:+441632960999@203.0.113.30:5060",
            route_set=("<sip:203.0.113.30;lr;ftag=4ddc0a3e-7f12-4f6c>",),
            local_cseq=1000,
            remote_cseq=10231,
            early=False,
            session_id="0e64cb9b4bb24d8fa7c5dc1d3f5fa2b1;remote=8f14e45fceea4a7aa9f3b6c2d1e0f9a8",
        ),
        False,
        OURS,
        THEIRS,
        {"timer": TIMER},
        {"media": True, "lasted": 73},
    )


def from_a_browser() -> SessionRecord:
    """A call of a browser, with Opus, DTLS and ICE, over a WebSocket."""
    theirs = endpoints.BROWSER.replace("\n", "\r\n").encode()
    ours = (
        b"v=0\r\no=- 2890844526123456789 1 IN IP4 198.51.100.7\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
        b"a=msid-semantic:WMS *\r\nm=audio 42318 UDP/TLS/RTP/SAVPF 111 0 110\r\nc=IN IP4 198.51.100.7\r\n"
        b"a=mid:0\r\na=sendrecv\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n"
        b"a=rtpmap:0 PCMU/8000\r\na=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-16\r\na=rtcp-mux\r\n"
        b"a=ice-ufrag:c4Xk\r\na=ice-pwd:q8Z0sN4tWmB2xV6yR1uE5pLk\r\n"
        b"a=candidate:1 1 udp 2130706431 198.51.100.7 42318 typ host\r\na=end-of-candidates\r\n"
        b"a=fingerprint:sha-256 1F:0C:5A:77:29:D4:E1:33:8B:90:46:CD:F2:6E:51:AA:07:3B:94:C8:DD:62:1E:85:"
        b"F9:40:B3:2C:76:EA:18:5D\r\na=setup:active\r\n"
    )
    return SessionRecord(
        Dialog(
            call_id="kq3v7j2h1n8d5m0s4t6r",
            local_tag="1679091c5a880faf",
            remote_tag="u8s1c0gk2e",
            local="<sip:room@example.com>;tag=1679091c5a880faf",
            remote='"Bob" <sip:bob@example.com>;tag=u8s1c0gk2e',
            remote_target="sip:7f3k2m9q@d1vn8c4h2l0s.invalid;transport=ws;ob",
            route_set=(),
            local_cseq=1000,
            remote_cseq=2,
            early=False,
            secure=True,
            session_id="45c48cce2e2d4fbdaa1afc51c7c6ad26;remote=" + "0" * 32,
        ),
        False,
        recordable(ours),
        recordable(theirs),
        {"recv-info": {"theirs": ["infoDtmf"]}},
        {"media": True, "lasted": 312, "data": '{"customer":4711,"queue":"sales"}'},
    )


def everything() -> dict[str, object]:
    """Values that use each part of the format, those of a later version too."""
    values = from_a_browser().as_values()
    values["dialog"]["early"] = True
    values["dialog"]["remote_cseq"] = None
    values["dialog"]["remote"] = "\udcff\udcfe <sip:b@h>;tag=\udc80"
    values["dialog"]["gruu"] = "sip:a@h;gr=1"
    values["is_caller"] = True
    values["extensions"] = {
        "timer": {**TIMER, "left": 59.5},
        "recv-info": {"theirs": ["a", "b"]},
        "hologram": {"colour": [1, {"left": None}], "\udc80": "\udc81"},
    }
    values["application"] = {"octets": b"\0\xff", "ratio": 1.1, "deep": [[[{"": {}}]]], "low": -(2**63) + 1}
    values["region"] = {"name": "\u00e4"}
    values["flags"] = 0x50000
    return values
