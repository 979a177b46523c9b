"""SDP as everyday endpoints write it: the shapes are theirs, the addresses are documentation's."""

from __future__ import annotations

ASTERISK = """\
v=0
o=- 1741689304 1741689304 IN IP4 203.0.113.9
s=Asterisk
c=IN IP4 203.0.113.9
t=0 0
m=audio 12412 RTP/AVP 111 9 0 8 3 101
a=rtpmap:111 opus/48000/2
a=fmtp:111 useinbandfec=1
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:3 GSM/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=maxptime:140
a=sendrecv
"""

BROWSER = """\
v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS 5dd4bb2a
m=audio 50411 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 192.0.2.44
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:2515645322 1 udp 2122260223 192.0.2.44 50411 typ host generation 0 network-id 1
a=candidate:3552041706 1 tcp 1518280447 192.0.2.44 9 typ host tcptype active generation 0
a=ice-ufrag:F7gI
a=ice-pwd:x9cml/YzichV2+XlhiMu8g
a=ice-options:trickle
a=fingerprint:sha-256 \
D1:2C:BE:AD:C4:F6:64:5C:25:16:11:9C:AF:E7:0F:73:79:36:4E:9C:1E:15:54:39:0C:06:8B:ED:96:86:00:39
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=sendrecv
a=msid:5dd4bb2a 3c3e8d0f
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:3735928559 cname:GKdVwSlk1rm6HcBi
m=video 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=mid:1
a=bundle-only
a=rtpmap:96 VP8/90000
"""

LINPHONE = """\
v=0
o=alice 2467 1083 IN IP4 192.0.2.7
s=Talk
c=IN IP4 192.0.2.7
t=0 0
a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics
a=record:off
m=audio 7078 RTP/AVP 96 97 0 8 101
a=rtpmap:96 opus/48000/2
a=fmtp:96 useinbandfec=1
a=rtpmap:97 speex/16000
a=fmtp:97 vbr=on
a=rtpmap:101 telephone-event/48000
a=rtcp:50932
a=rtcp-fb:* trr-int 5000
m=video 9078 RTP/AVPF 99
a=rtpmap:99 H264/90000
a=fmtp:99 profile-level-id=42801F
"""

# Rows that a desk phone sends: SDES crypto beside plain RTP, odd blanks, no rtpmap for static types.
DESK_PHONE = """\
v=0
o=root 1590463 1590463 IN IP6 2001:db8::77
s=call
c=IN IP6 2001:db8::77
b=CT:1000
t=0 0
m=audio 60814 RTP/SAVP 9 8 0 101
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=encryption:optional
m=audio 60814 RTP/AVP 9 8 0 101
a=rtpmap: 101  telephone-event/8000
a=fmtp: 101  0-15
a=ptime:20.0
a=sendrecv\x20
"""

FAX = """\
v=0
o=- 1741689305 1741689306 IN IP4 203.0.113.9
s=Asterisk
c=IN IP4 203.0.113.9
t=0 0
m=image 4862 udptl t38
a=T38FaxVersion:0
a=T38MaxBitRate:14400
a=T38FaxRateManagement:transferredTCF
a=T38FaxMaxDatagram:400
a=T38FaxUdpEC:t38UDPRedundancy
"""

# RFC 8866 §5
SEMINAR = """\
v=0
o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1
s=Call to John Smith
i=SDP Offer #1
u=http://www.jdoe.example.com/home.html
e=Jane Doe <jane@jdoe.example.com>
p=+1 617 555-6011
c=IN IP4 198.51.100.1
t=0 0
m=audio 49170 RTP/AVP 0
m=audio 49180 RTP/AVP 0
m=video 51372 RTP/AVP 99
c=IN IP6 2001:db8::2
a=rtpmap:99 h263-1998/90000
"""

ALL = {
    "asterisk": ASTERISK,
    "browser": BROWSER,
    "linphone": LINPHONE,
    "desk phone": DESK_PHONE,
    "fax": FAX,
    "seminar": SEMINAR,
}
