"""What a seal takes of our Contact, for the calls that there are: beside a host name of 40 characters."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sipstack.sdp.abridged import abridged
from sipstack.store.packing import pack
from sipstack.store.sealed import Sealed

ROOM = 512 - len("sip:@") - 40


def sdp(*lines: str) -> str:
    return "".join(f"{line}\r\n" for line in lines)


OURS = sdp(
    "v=0",
    "o=- 3973584718 1 IN IP4 198.51.100.17",
    "s=sipstack",
    "c=IN IP4 198.51.100.17",
    "t=0 0",
    "m=audio 40318 RTP/AVP 0 101",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-15",
    "a=ptime:20",
    "a=sendrecv",
)
ASTERISK = sdp(
    "v=0",
    "o=- 1432874634 1432874634 IN IP4 203.0.113.45",
    "s=Asterisk",
    "c=IN IP4 203.0.113.45",
    "t=0 0",
    "m=audio 17362 RTP/AVP 0 8 9 101",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:9 G722/8000",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-16",
    "a=ptime:20",
    "a=maxptime:150",
    "a=sendrecv",
)
SIPP = sdp(
    "v=0",
    "o=user1 53655765 2353687637 IN IP4 127.0.0.1",
    "s=-",
    "c=IN IP4 127.0.0.1",
    "t=0 0",
    "m=audio 6000 RTP/AVP 0",
    "a=rtpmap:0 PCMU/8000",
)
LINPHONE = sdp(
    "v=0",
    "o=alice 3413 2741 IN IP4 203.0.113.45",
    "s=Talk",
    "c=IN IP4 203.0.113.45",
    "t=0 0",
    "a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics",
    "m=audio 7078 RTP/AVP 96 97 98 0 8 18 101 99 100",
    "a=rtpmap:96 opus/48000/2",
    "a=fmtp:96 useinbandfec=1",
    "a=rtpmap:97 speex/16000",
    "a=fmtp:97 vbr=on",
    "a=rtpmap:98 speex/8000",
    "a=fmtp:98 vbr=on",
    "a=fmtp:18 annexb=yes",
    "a=rtpmap:101 telephone-event/48000",
    "a=rtpmap:99 telephone-event/16000",
    "a=rtpmap:100 telephone-event/8000",
    "a=rtcp-fb:* trr-int 1000",
    "a=rtcp-fb:* ccm tmmbr",
)
BROWSER = sdp(
    "v=0",
    "o=- 7192805813755014944 2 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0",
    "a=extmap-allow-mixed",
    "a=msid-semantic: WMS 01150d59-8d6f-40aa-bab1-a8607346baa8",
    "m=audio 59446 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126",
    "c=IN IP4 203.0.113.45",
    "a=rtcp:9 IN IP4 0.0.0.0",
    "a=ice-ufrag:lzmW",
    "a=ice-options:trickle",
    f"a=fingerprint:sha-256 {':'.join(f'{number * 37 % 256:02X}' for number in range(32))}",
    "a=setup:actpass",
    "a=mid:0",
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
    "a=sendrecv",
    "a=msid:01150d59-8d6f-40aa-bab1-a8607346baa8 7842df09-1078-44de-a000-e53d413ad1d1",
    "a=rtcp-mux",
    "a=rtcp-rsize",
    "a=rtpmap:111 opus/48000/2",
    "a=rtcp-fb:111 transport-cc",
    "a=fmtp:111 minptime=10;useinbandfec=1",
    "a=rtpmap:63 red/48000/2",
    "a=fmtp:63 111/111",
    "a=rtpmap:9 G722/8000",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:13 CN/8000",
    "a=rtpmap:110 telephone-event/48000",
    "a=rtpmap:126 telephone-event/8000",
    "a=ssrc:2405619507 cname:y6z3zQbPJFQS1Grq",
)
"""Chrome's, without password and candidates."""
TO_BROWSER = sdp(
    "v=0",
    "o=- 705747361939612347 1 IN IP4 198.51.100.17",
    "s=-",
    "c=IN IP4 198.51.100.17",
    "t=0 0",
    "a=group:BUNDLE 0",
    "m=audio 55228 UDP/TLS/RTP/SAVPF 111 110",
    "a=rtpmap:111 opus/48000/2",
    "a=fmtp:111 maxplaybackrate=8000;sprop-maxcapturerate=8000;useinbandfec=1",
    "a=rtpmap:110 telephone-event/48000",
    "a=fmtp:110 0-16",
    "a=ptime:20",
    "a=rtcp-mux",
    "a=mid:0",
    "a=ice-ufrag:f9901c8622ed",
    f"a=fingerprint:sha-256 {':'.join(f'{number * 59 % 256:02X}' for number in range(32))}",
    "a=setup:active",
    "a=sendrecv",
)
PROXY = ["<sip:192.0.2.99;lr;ftag=as1834>"]
DATA = {"data": {"customer": "A-4711-93", "queue": "sales", "since": 1790000000}}


def a_call(
    remote: str, target: str, routes: list[str], application: Mapping[str, object], local: str = OURS
) -> dict[str, object]:
    timer = {"interval": 1800, "left": 1799.73, "refreshing": False, "minimum": 90}
    return {
        "dialog": {
            "remote_target": target,
            "route_set": routes,
            "local_cseq": 999,
            "remote_cseq": 1,
            "secure": False,
        },
        "is_caller": False,
        "local": local,
        "remote": remote,
        "extensions": {"100rel": {}, "update": {}, "timer": timer | {"supported": True, "updates": True}},
        "application": application,
    }


PAGE = "sip:nn5oncu7@dfs3lffgqk7r.invalid;transport=ws;ob"


def short(description: str) -> str:
    return abridged(description.encode()).decode()


CALLS = {
    "sipp": (a_call(SIPP, "sip:sipp@127.0.0.1:5061", [], {}), 190),
    "Asterisk": (a_call(ASTERISK, "sip:asterisk@203.0.113.45:5060", [], {}), 240),
    "Asterisk, a proxy": (a_call(ASTERISK, "sip:asterisk@203.0.113.45:5060", PROXY, {}), 270),
    "Asterisk, a proxy, data": (a_call(ASTERISK, "sip:asterisk@203.0.113.45:5060", PROXY, DATA), 330),
    "linphone": (a_call(LINPHONE, "sip:alice@203.0.113.45:5060;transport=udp", [], {}), 270),
    "a browser": (a_call(short(BROWSER), PAGE, [], {"media": True}, short(TO_BROWSER)), 340),
    "a browser, a proxy, data": (a_call(short(BROWSER), PAGE, PROXY, DATA, short(TO_BROWSER)), 440),
}


@pytest.mark.parametrize("peer", CALLS)
def test_a_call_of_the_kind_fits_with_room_to_spare(peer: str) -> None:
    values, characters = CALLS[peer]
    user = Sealed([bytes(32)]).seal(("call", "ours", "theirs"), values, 1800.0, ROOM)
    assert 0 < len(user) <= characters


def test_what_most_calls_share_costs_next_to_nothing() -> None:
    values, _ = CALLS["Asterisk, a proxy"]
    assert len(pack(values)) < 160
