"""What the records of most calls have in common: the dictionary of their compressed form (RFC 1951 §2).

What comes last is near, and cheapest to refer to. What was compressed with it is read with it alone: a change
is a dictionary of another number.
"""

from __future__ import annotations

_RARE = """\
a=T38FaxVersion:0
a=T38MaxBitRate:14400
a=T38FaxRateManagement:transferredTCF
a=T38FaxMaxDatagram:400
a=T38FaxUdpEC:t38UDPRedundancy
m=image 9 udptl t38
m=video 9 RTP/AVP 99
a=rtpmap:99 H264/90000
a=fmtp:99 profile-level-id=42e01f;packetization-mode=1
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 nack pli
a=rtcp-fb:96 ccm fir
a=rtpmap:97 speex/16000
a=rtpmap:97 iLBC/8000
a=rtpmap:2 G726-32/8000
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=rtpmap:118 L16/16000
a=rtpmap:3 GSM/8000
b=AS:84
b=CT:1000
s=Talk
s=session
s=FreeSWITCH
s=SIP Call
o=root
o=FreeSWITCH
o=sipp
a=inactive
a=sendonly
a=recvonly
a=silenceSupp:off - - - -
a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics
a=crypto:1 AEAD_AES_256_GCM inline:
a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:
m=audio 9 RTP/SAVP
m=audio 9 RTP/AVPF
a=rtcp:9 IN IP4 0.0.0.0
c=IN IP4 0.0.0.0
c=IN IP6 2001:db8:
a=extmap-allow-mixed
a=msid-semantic: WMS *
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=rtcp-fb:111 transport-cc
a=rtcp-rsize
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:13 CN/8000
a=rtpmap:126 telephone-event/8000
a=ssrc:1 cname:
a=ssrc:1 msid:
a=msid:-
a=ice-options:trickle renomination
a=ice-lite
a=setup:passive
a=setup:active
a=setup:actpass
a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF
a=ice-ufrag:
a=group:BUNDLE 0
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
m=audio 9 UDP/TLS/RTP/SAVPF 0 8 101
a=mid:0
a=mid:audio
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:110 telephone-event/48000
a=fmtp:110 0-16
a=rtpmap:107 opus/48000/2
a=rtpmap:96 opus/48000/2
a=fmtp:96 useinbandfec=1
a=rtpmap:9 G722/8000
m=audio 9 RTP/AVP 111 9 0 8 3 101
a=fmtp:101 0-15
"""
_ADDRESSES = (
    ".invalid;transport=ws;ob",
    ";transport=wss",
    ";transport=tls",
    ";transport=TCP",
    ";transport=tcp",
    ";transport=udp",
    ";user=phone",
    "sips:",
    "anonymous@anonymous.invalid",
    ".com:5061",
    "gw+",
    "<sip:127.0.0.1;r2=on;lr>",
    ";lr;ftag=",
    ";did=",
    ";nat=yes",
    ";lr=on>",
    "<sip:192.168.1.",
    "<sip:10.0.0.",
    "<sip:172.16.",
    "infoDtmf",
    '{"',
    '","',
    '":"',
    '" <sip:+',
    "@sip.example.com>;tag=",
    "@example.com>;tag=",
    "<sip:1",
    "<sip:+",
    ".net>;tag=",
    ".com>;tag=as",
    ":5060>;tag=",
    ":5060;lr>",
    "sip:asterisk@",
    "sip:+",
)
_USUAL = """\
v=0
o=- 1 IN IP4 10.0.0.
s=Asterisk
c=IN IP4 192.168.1.
t=0 0
m=audio 10000 RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=maxptime:140
a=sendrecv
v=0
o=- 3044603441232360098 1 IN IP4 1
s=-
c=IN IP4 1
t=0 0
m=audio 42316 RTP/AVP 8 0 101
m=audio 42316 RTP/AVP 0 8 101
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=sendrecv
"""


def _written(lines: str) -> bytes:
    return lines.replace("\n", "\r\n").encode()


_NUMBERS = (
    b"\x87\x01\x00\x8a\x78\x24",  # a record of version 1 begins, and a Call-ID of 36 characters
    b"\x19\x03\xe8\x01\x58\x20\x79\x01",  # CSeq numbers, a Session-ID, a long text
    b"\xa1\x01\xa6\x02\x19\x07\x08\x03\x19\x05\x00\x04\xf5\x05\x18\x5a\x06\xf5\x07\xf5",  # a session timer
    b"\xa2\x0a\xf5\x0b\x18",  # media, and how long it has lasted
)

DICTIONARY = b"".join([_written(_RARE), "".join(_ADDRESSES).encode(), *_NUMBERS, _written(_USUAL)])
NUMBER = 1
