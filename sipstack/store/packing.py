"""A session in as few octets as we can: JSON, deflated with a dictionary of what sessions mostly hold."""

from __future__ import annotations

import json
import zlib

from sipstack.errors import LocalProtocolError, ParseError

LARGEST = 65_536
"""Octets of a record when it is inflated."""
WINDOW = -13
"""8 KB, without a header."""


def pack(values: object) -> bytes:
    """Plain values as octets. Raises LocalProtocolError for others."""
    try:
        text = json.dumps(values, separators=(",", ":"), default=_octets).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise LocalProtocolError(f"a session with values that are not plain: {error}") from None
    deflate = zlib.compressobj(9, zlib.DEFLATED, WINDOW, 6, zdict=USUAL)
    return deflate.compress(text) + deflate.flush()


def unpack(octets: bytes) -> object:
    """The values that ``pack`` was given. Raises ParseError."""
    inflate = zlib.decompressobj(WINDOW, zdict=USUAL)
    try:
        text = inflate.decompress(octets, LARGEST)
        if not inflate.eof or inflate.unused_data:
            raise ParseError("a record that is too long, or cut off")
        values: object = json.loads(text, object_hook=_plain)
    except (zlib.error, ValueError, RecursionError) as error:
        raise ParseError(f"no record: {error}") from None
    return values


def _octets(value: object) -> dict[str, str]:
    """JSON has no octets: they are a dictionary that nothing else is."""
    if not isinstance(value, bytes):
        raise TypeError(f"{type(value).__name__} is none of them")
    return {OCTETS: value.decode("latin-1")}


def _plain(value: dict[str, object]) -> object:
    octets = value.get(OCTETS)
    return octets.encode("latin-1") if isinstance(octets, str) and len(value) == 1 else value


OCTETS = "\0octets"


# What is likely comes last: near it costs less. A seal is opened with the very dictionary that it was made
# with: another one is another form (``sealed.FORM``). Line ends are not part of it.
_LINES = r"""
a=rtpmap:97 speex/16000\r\na=fmtp:97 vbr=on\r\na=rtpmap:98 speex/8000\r\na=fmtp:98 vbr=on\r\n
a=fmtp:18 annexb=yes\r\na=rtpmap:101 telephone-event/48000\r\na=rtpmap:99 telephone-event/16000\r\n
a=rtpmap:100 telephone-event/8000\r\na=rtcp-fb:* trr-int 1000\r\na=rtcp-fb:* ccm tmmbr\r\n
a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics\r\nm=audio 7078 RTP/AVP 96 97 98
.invalid;transport=ws a=extmap-allow-mixed\r\na=msid-semantic: WMS \r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0
 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=rtcp-rsize\r\na=rtcp-fb:111 transport-cc\r\n
a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=rtpmap:110 telephone-event/48000\r\n
IN IP6 ::1\r\na=rtcp-fb:* ccm fir\r\na=rtcp-fb:* nack pli\r\n
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n
a=ssrc: cname:\r\na=msid-semantic: WMS *\r\na=msid:- \r\na=group:BUNDLE 0\r\na=mid:0\r\na=rtcp-mux\r\n
a=setup:active\r\na=setup:passive\r\na=setup:actpass\r\na=ice-ufrag:\r\na=ice-options:trickle\r\n
a=fmtp:111 maxplaybackrate=8000;sprop-maxcapturerate=8000;useinbandfec=1\r\n
a=candidate:1 1 UDP 2130706431 192.168.  typ host\r\na=end-of-candidates\r\n
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 9 8 0 101\r\n
a=ptime:20\r\na=rtcp-mux\r\na=mid:0\r\na=ice-ufrag:gone\r\na=fingerprint:sha-256 00\r\na=setup:actpass\r\n
a=sendrecv\r\na=group:BUNDLE 0\r\n
m=audio  UDP/TLS/RTP/SAVPF 111 110\r\na=fmtp:110 0-16\r\n
m=audio  RTP/SAVP 8 0 101\r\nm=video 0 RTP/AVP 96\r\na=rtcp: IN IP4 \r\n
a=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n
a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n
a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:3 GSM/8000\r\na=rtpmap:13 CN/8000\r\n
a=rtpmap:126 telephone-event/8000\r\na=rtpmap:97 telephone-event/8000\r\na=rtpmap:96 telephone-event/8000\r\n
a=rtpmap:100 telephone-event/48000\r\na=maxptime:150\r\na=maxptime:20\r\na=recvonly\r\na=sendonly\r\n
a=inactive\r\nb=AS:64\r\na=label:1\r\na=rtcp-xr:\r\n
v=0\r\no=FreeSWITCH \r\no=user1 53655765 2353687637 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n
m=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
.invalid;transport=wss;ob
sip:;transport=tls sip:;transport=tcp;lr>","<sip:;lr=on>","<sip:172.16. sip:10.0.0. sip:192.168.1.
;transport=ws;lr;ob"extensions":{"timer":{}},"100rel":{},"update":{},"application":{"data":{
"interval":1800,"left":900.0,"refreshing":true,"minimum":90,"supported":true,"updates":true}
"is_caller":true,"local":null,"remote":null,"extensions":{},"application":{}
"dialog":{"remote_target":"sip:@:5060;transport=udp","route_set":["<sip:;lr>"],"local_cseq":1999,
"remote_cseq":null,"secure":true},
{"dialog":{"remote_target":"sip:","route_set":[],"local_cseq":999,"remote_cseq":1,"secure":false},
"is_caller":false,"local":"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n
m=audio 10000 RTP/AVP 0 8 9 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:9 G722/8000\r\n
a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n",
"remote":"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=sipstack\r\ns=Asterisk\r\ns=Talk\r\nt=0 0\r\n
","extensions":{"timer":{"interval":1800,"left":1800.0,"refreshing":false,"minimum":90,"supported":false,
"updates":true}},"application":{}}"application":{"media":true,"lasted":0}}
"""
USUAL = _LINES.replace("\n", "").encode()
"""The preset dictionary (RFC 1950 §2.2)."""
