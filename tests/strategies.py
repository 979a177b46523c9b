"""Hypothesis strategies for everything in sipstack.message, valid by construction."""

from __future__ import annotations

from datetime import UTC, datetime
from string import ascii_letters, digits
from typing import Any

from hypothesis import strategies as st

from sipstack.message import (
    AuthenticationInfo,
    Challenge,
    Credentials,
    CSeq,
    Date,
    DialogReference,
    Disposition,
    Event,
    Headers,
    MediaType,
    NameAddr,
    OtherUri,
    Parameterised,
    Parameters,
    RAck,
    Reason,
    Request,
    Response,
    RetryAfter,
    SessionExpires,
    SipUri,
    SubscriptionState,
    TelUri,
    Timestamp,
    Uri,
    Via,
    Warning,
)
from sipstack.message.grammar import quote

TOKEN = ascii_letters + digits + "-.!%*_+`'~"

tokens = st.text(TOKEN, min_size=1, max_size=12)
words = st.text(ascii_letters + digits + "-.!%*_+`'~()<>:\\\"/[]?{}", min_size=1, max_size=12)
call_ids = st.one_of(words, st.builds("{}@{}".format, words, words))
numbers = st.integers(0, 2**31 - 1)
seconds = st.integers(0, 2**32 - 1)
# Any text that a header field can carry: no line ends, no NUL, nothing that UTF-8 cannot write.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=20)

_labels = st.text(ascii_letters + digits + "-", min_size=1, max_size=8)
names = st.lists(_labels, min_size=1, max_size=3).map(".".join)
hosts = st.one_of(names, st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map("[{}]".format))
ports = st.none() | st.integers(0, 65535)


def mappings(keys: st.SearchStrategy[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Parameters]:
    """Parameters whose names differ also without case."""
    pairs = st.lists(st.tuples(keys, values), max_size=4, unique_by=lambda pair: pair[0].lower())
    return pairs.map(Parameters)


values = st.one_of(tokens, texts.map(quote), st.ip_addresses().map(str))
parameters = mappings(tokens, st.none() | values)
untagged = mappings(
    tokens.filter(lambda name: name.lower() not in ("tag", "branch", "q")), st.none() | values
)
_uri_texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
uri_parameters = mappings(_uri_texts.filter(lambda text: text.lower() == text), st.none() | _uri_texts)

sip_uris = st.builds(
    SipUri,
    hosts,
    ports,
    st.none() | _uri_texts,
    scheme=st.sampled_from(["sip", "sips"]),
    parameters=uri_parameters,
    headers=st.lists(st.tuples(_uri_texts, _uri_texts | st.just("")), max_size=2).map(tuple),
)
passwords = st.builds(lambda uri, password: uri.replace(user="u", password=password), sip_uris, _uri_texts)
tel_uris = st.builds(
    TelUri,
    st.text(digits, min_size=1, max_size=15).map("+{}".format),
    mappings(tokens, st.none() | tokens),
)
other_uris = st.builds(OtherUri, st.sampled_from(["urn", "http", "mailto", "soap.beep"]), words).filter(
    lambda uri: not set(uri.rest) & set('<>"')
)
uris: st.SearchStrategy[Uri] = st.one_of(sip_uris, passwords, tel_uris, other_uris)

name_addrs = st.builds(NameAddr, uris, texts, parameters)
vias = st.builds(
    Via, st.sampled_from(["UDP", "TCP", "TLS", "WS", "X-Y"]), hosts, ports, parameters, st.just("SIP/2.0")
)
cseqs = st.builds(CSeq, numbers, tokens)
media_types = st.builds(MediaType, tokens, tokens, parameters)
_moments = st.datetimes(datetime(1900, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
dates = _moments.map(lambda moment: Date(moment.replace(microsecond=0)))
_clocks = st.integers(0, 10**15).map(lambda number: number / 10**6)
_comments = st.recursive(
    st.text(ascii_letters + " ", max_size=5), lambda inner: inner.map("({})".format), max_leaves=3
)
_auth_parameters = mappings(tokens, values)
_schemes = st.sampled_from(["Digest", "Basic", "X-Unknown"])
_opaque = st.text(ascii_letters + digits + "-._~+/", min_size=1).map(lambda text: text + "==")

fields: dict[str, st.SearchStrategy[Any]] = {
    "AuthenticationInfo": st.builds(AuthenticationInfo, _auth_parameters),
    "CSeq": cseqs,
    "Challenge": st.builds(Challenge, _schemes, _auth_parameters)
    | st.builds(Challenge, _schemes, token68=_opaque),
    "Credentials": st.builds(Credentials, _schemes, _auth_parameters),
    "Date": dates,
    "DialogReference": st.builds(
        lambda call_id, to_tag, from_tag, rest: DialogReference(
            call_id, rest.with_("to-tag", to_tag).with_("from-tag", from_tag)
        ),
        call_ids.filter(lambda text: ";" not in text),
        tokens,
        tokens,
        parameters,
    ),
    "Disposition": st.builds(Disposition, tokens, parameters),
    "Event": st.builds(Event, tokens, parameters),
    "MediaType": media_types,
    "NameAddr": name_addrs,
    "OtherUri": other_uris,
    "Parameterised": st.builds(Parameterised, tokens, parameters),
    "Parameters": parameters,
    "RAck": st.builds(RAck, seconds, numbers, tokens),
    "Reason": st.builds(Reason, tokens, parameters),
    "RetryAfter": st.builds(RetryAfter, seconds, _comments, parameters),
    "SessionExpires": st.builds(SessionExpires, seconds, parameters),
    "SipUri": sip_uris | passwords,
    "SubscriptionState": st.builds(SubscriptionState, tokens, parameters),
    "TelUri": tel_uris,
    "Timestamp": st.builds(Timestamp, _clocks, st.none() | _clocks),
    "Via": vias,
    "Warning": st.builds(Warning, st.integers(0, 999), tokens, texts),
}
"""One strategy for each class whose ``parse`` and ``str()`` are inverse."""

_extensions = st.tuples(tokens.map("X-{}".format), texts)
_header_fields = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["Contact", "Route", "Record-Route", "m"]), name_addrs),
        st.tuples(st.sampled_from(["Via", "v", "VIA"]), vias),
        st.tuples(st.sampled_from(["Subject", "User-Agent", "Organization"]), texts),
        st.tuples(st.just("Expires"), seconds),
        st.tuples(st.just("Content-Type"), media_types),
        _extensions,
    ),
    max_size=5,
)


@st.composite
def header_fields(draw: st.DrawFn, method: str | None = None) -> Headers:
    """The six fields that each message has, and some others."""
    cseq = draw(cseqs)
    return Headers(
        [
            ("Via", draw(vias)),
            ("From", draw(name_addrs)),
            ("To", draw(name_addrs)),
            ("Call-ID", draw(call_ids)),
            ("CSeq", cseq if method is None else CSeq(cseq.number, method)),
            ("Max-Forwards", draw(st.integers(0, 255))),
            *draw(_header_fields),
        ]
    )


bodies = st.binary(max_size=60)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Any request that ``validate`` accepts."""
    method = draw(st.one_of(st.sampled_from(["INVITE", "ACK", "BYE", "REGISTER"]), tokens))
    return Request(method, draw(uris), draw(header_fields(method)), draw(bodies))


responses = st.builds(Response, st.integers(100, 699), st.none() | texts, header_fields(), bodies)
messages: st.SearchStrategy[Request | Response] = st.one_of(requests(), responses)
