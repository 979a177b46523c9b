"""The INVITE of all message figures: 1,126 octets, 17 header lines, two Vias, SDP; no two are alike."""

from __future__ import annotations

SIZE = 1126

_HEAD = """\
INVITE sip:{n:08d}@biloxi.example.com;user=phone SIP/2.0
Via: SIP/2.0/UDP proxy.atlanta.example.com:5060;branch=z9hG4bKp{n:016x};rport
Via: SIP/2.0/UDP 192.0.2.4:5062;received=198.51.100.7;branch=z9hG4bKc{n:016x}
Max-Forwards: 69
Record-Route: <sip:proxy.atlanta.example.com;lr>
From: "Alice Liddell" <sip:alice@atlanta.example.com>;tag=a{n:016x}
To: "Bob" <sip:{n:08d}@biloxi.example.com>
Call-ID: {n:016x}@192.0.2.4
CSeq: 314159 INVITE
Contact: <sip:alice@192.0.2.4:5062;transport=udp>
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, INFO, REFER, NOTIFY, SUBSCRIBE
Supported: replaces, timer, 100rel, norefersub
Session-Expires: 1800;refresher=uac
Date: Sat, 13 Nov 2010 23:29:00 GMT
User-Agent: Benchmark/1.0 (padding {padding})
P-Asserted-Identity: "Alice Liddell" <sip:alice@atlanta.example.com>
Content-Type: application/sdp
Content-Length: {length}

"""

_BODY = """\
v=0
o=alice 2890844526 2890844526 IN IP4 192.0.2.4
s=-
c=IN IP4 192.0.2.4
t=0 0
m=audio 49172 RTP/AVP 0 8 101
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=sendrecv
"""


def _write(number: int, padding: str) -> bytes:
    body = _BODY.replace("\n", "\r\n").encode()
    head = _HEAD.replace("\n", "\r\n").format(n=number, padding=padding, length=len(body))
    return head.encode() + body


_PADDING = "-" * (SIZE - len(_write(0, "")))


def invite(number: int) -> bytes:
    """The INVITE of that number."""
    return _write(number, _PADDING)
