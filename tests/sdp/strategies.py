"""Session descriptions for hypothesis: any that can be built, and offers as peers make them."""

from __future__ import annotations

from hypothesis import strategies as st

from sipstack.sdp import STATIC_CODECS, Codec, Direction, MediaDescription, SessionDescription

texts = st.text(
    st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"])
    | st.sampled_from(["\udc80", "\udcff"]),
    max_size=20,
)
letters = st.sampled_from("siuepbtrzkaXyq")
free_lines = st.builds("{}={}".format, letters, texts)
numbers = st.integers(0, 2**63 - 1)
addresses = st.sampled_from(
    ["192.0.2.1", "0.0.0.0", "host.example.com", "233.252.0.1/127", "2001:db8::1", "::"]
)


def connection_lines(address: str) -> str:
    return f"c=IN {'IP6' if ':' in address else 'IP4'} {address}"


@st.composite
def media(draw: st.DrawFn) -> MediaDescription:
    kind = draw(st.sampled_from(["audio", "video", "image", "message"]))
    protocol = draw(st.sampled_from(["RTP/AVP", "RTP/AVPF", "RTP/SAVP", "UDP/TLS/RTP/SAVPF", "udptl"]))
    formats = draw(st.lists(st.sampled_from(["0", "8", "96", "101", "t38", "*"]), max_size=4))
    port = draw(st.integers(0, 65535))
    line = " ".join([f"m={kind}", str(port), protocol, *formats])
    rest = draw(st.lists(free_lines | st.builds(connection_lines, addresses), max_size=6))
    return MediaDescription((line, *rest))


@st.composite
def descriptions(draw: st.DrawFn) -> SessionDescription:
    """Anything the values allow, meaningful or not."""
    origin = f"o=- {draw(numbers)} {draw(numbers)} IN IP4 {draw(st.sampled_from(['192.0.2.1', 'host']))}"
    rest = draw(st.lists(free_lines | st.builds(connection_lines, addresses), max_size=6))
    place = draw(st.integers(0, len(rest)))
    lines = ("v=0", *rest[:place], origin, *rest[place:])
    return SessionDescription(lines, tuple(draw(st.lists(media(), max_size=4))))


@st.composite
def codecs(draw: st.DrawFn) -> Codec:
    static = [STATIC_CODECS[number] for number in (0, 8, 9, 13, 18, 31)]
    dynamic = [
        ("opus", 48000, 2),
        ("telephone-event", 8000, 1),
        ("telephone-event", 48000, 1),
        ("PCMU", 8000, 1),
    ]
    if draw(st.booleans()):
        return draw(st.sampled_from(static))
    name, clock_rate, channels = draw(st.sampled_from(dynamic))
    return Codec(draw(st.integers(96, 127)), name, clock_rate, channels, draw(st.sampled_from(["", "0-16"])))


@st.composite
def offered_media(draw: st.DrawFn) -> MediaDescription:
    chosen = draw(st.lists(codecs(), min_size=1, max_size=6, unique_by=lambda codec: codec.payload_type))
    kind = draw(st.sampled_from(["audio", "audio", "audio", "video"]))
    protocol = draw(st.sampled_from(["RTP/AVP", "RTP/AVP", "RTP/AVPF", "RTP/SAVP"]))
    port = draw(st.sampled_from([0, 9, 40000, 40002, 65535]))
    lines = [f"m={kind} {port} {protocol} {' '.join(str(codec.payload_type) for codec in chosen)}"]
    if address := draw(st.none() | addresses):
        lines.append(connection_lines(address))
    for codec in chosen:
        if codec.payload_type >= 96 or draw(st.booleans()):
            lines += codec.lines()
    if direction := draw(st.none() | st.sampled_from(Direction)):
        lines.append(f"a={direction.value}")
    lines += draw(
        st.lists(st.sampled_from(["a=rtcp-mux", "a=ptime:30", "a=maxptime:20", "a=rtcp:9"]), max_size=2)
    )
    return MediaDescription(tuple(lines))


@st.composite
def offers(draw: st.DrawFn) -> SessionDescription:
    lines = ["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", connection_lines(draw(addresses)), "t=0 0"]
    if direction := draw(st.none() | st.sampled_from(Direction)):
        lines.append(f"a={direction.value}")
    return SessionDescription(tuple(lines), tuple(draw(st.lists(offered_media(), max_size=4))))
