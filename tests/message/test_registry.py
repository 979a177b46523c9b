"""The table of header fields."""

from __future__ import annotations

import pytest

from sipstack.errors import ParseError
from sipstack.message import (
    AuthenticationInfo,
    Challenge,
    Credentials,
    CSeq,
    Date,
    DialogReference,
    Disposition,
    Diversion,
    Event,
    Headers,
    HistoryEntry,
    Identity,
    MediaType,
    NameAddr,
    Parameterised,
    RAck,
    Reason,
    RetryAfter,
    SessionExpires,
    SessionId,
    SubscriptionState,
    Timestamp,
    Via,
    Warning,
)
from sipstack.message.registry import FIELDS, NAMES, Rows

ADDRESS = '"A, B" <sip:a@b>;x=1'
DIGEST = 'Digest realm="a, b", nonce="c"'
DIALOG = "1@2;to-tag=3;from-tag=4"

# Every row: a value as an RFC shows it, and what the first of its typed values is.
EXAMPLES: dict[str, tuple[str, object]] = {
    "Accept": ("application/sdp;level=1", MediaType.parse("application/sdp;level=1")),
    "Accept-Encoding": ("gzip;q=0.5", Parameterised.parse("gzip;q=0.5")),
    "Accept-Language": ("en-gb;q=0.8", Parameterised.parse("en-gb;q=0.8")),
    "Alert-Info": (
        "<http://www.example.com/sounds/moo.wav>",
        NameAddr.parse("<http://www.example.com/sounds/moo.wav>"),
    ),
    "Allow": ("INVITE", "INVITE"),
    "Allow-Events": ("spirits-INDPs", "spirits-INDPs"),
    "Authentication-Info": ('nextnonce="47364c23"', AuthenticationInfo.parse('nextnonce="47364c23"')),
    "Authorization": (DIGEST, Credentials.parse(DIGEST)),
    "Call-ID": ("f81d4fae@foo.bar.com", "f81d4fae@foo.bar.com"),
    "Call-Info": ("<http://a/b.jpg>;purpose=icon", NameAddr.parse("<http://a/b.jpg>;purpose=icon")),
    "Contact": (ADDRESS, NameAddr.parse(ADDRESS)),
    "Content-Disposition": ("session;handling=optional", Disposition.parse("session;handling=optional")),
    "Content-Encoding": ("gzip", "gzip"),
    "Content-Language": ("fr", "fr"),
    "Content-Length": ("349", 349),
    "Content-Type": ("text/html; charset=ISO-8859-4", MediaType.parse("text/html;charset=ISO-8859-4")),
    "CSeq": ("4711 INVITE", CSeq(4711, "INVITE")),
    "Date": ("Sat, 13 Nov 2010 23:29:00 GMT", Date.parse("Sat, 13 Nov 2010 23:29:00 GMT")),
    "Diversion": (
        "<sip:bob@b.example>;reason=user-busy",
        Diversion.parse("<sip:bob@b.example>;reason=user-busy"),
    ),
    "Error-Info": ("<sip:not-in-service@atlanta.com>", NameAddr.parse("<sip:not-in-service@atlanta.com>")),
    "Event": ("foo;id=1", Event.parse("foo;id=1")),
    "Expires": ("5", 5),
    "Flow-Timer": ("126", 126),
    "From": (ADDRESS, NameAddr.parse(ADDRESS)),
    "History-Info": ("<sip:a@b>;index=1.1", HistoryEntry.parse("<sip:a@b>;index=1.1")),
    "Identity": ("e30.e30.MA;info=<https://a/b>", Identity.parse("e30.e30.MA;info=<https://a/b>")),
    "In-Reply-To": ("70710@saturn.bell-tel.com", "70710@saturn.bell-tel.com"),
    "Info-Package": ("foo", Parameterised("foo")),
    "Join": (DIALOG, DialogReference.parse(DIALOG)),
    "Max-Forwards": ("6", 6),
    "MIME-Version": ("1.0", "1.0"),
    "Min-Expires": ("60", 60),
    "Min-SE": ("90;x", SessionExpires.parse("90;x")),
    "Organization": ("Boxes, by Bob", "Boxes, by Bob"),
    "P-Asserted-Identity": ("tel:+14085264000", NameAddr.parse("tel:+14085264000")),
    "P-Associated-URI": (ADDRESS, NameAddr.parse(ADDRESS)),
    "P-Preferred-Identity": (ADDRESS, NameAddr.parse(ADDRESS)),
    "Path": ("<sip:p1.example.com;lr>", NameAddr.parse("<sip:p1.example.com;lr>")),
    "Priority": ("emergency", "emergency"),
    "Privacy": ("id;critical", "id"),
    "Proxy-Authenticate": (DIGEST, Challenge.parse(DIGEST)),
    "Proxy-Authorization": (DIGEST, Credentials.parse(DIGEST)),
    "Proxy-Require": ("foo", "foo"),
    "RAck": ("776656 1 INVITE", RAck(776656, 1, "INVITE")),
    "Reason": ("SIP;cause=600", Reason.parse("SIP;cause=600")),
    "Record-Route": ("<sip:server10.biloxi.com;lr>", NameAddr.parse("<sip:server10.biloxi.com;lr>")),
    "Recv-Info": ("foo;x", Parameterised.parse("foo;x")),
    "Refer-Sub": ("false", Parameterised("false")),
    "Refer-To": ("sip:alice@atlanta.example.com", NameAddr.parse("sip:alice@atlanta.example.com")),
    "Referred-By": (ADDRESS, NameAddr.parse(ADDRESS)),
    "Replaces": (DIALOG, DialogReference.parse(DIALOG)),
    "Reply-To": (ADDRESS, NameAddr.parse(ADDRESS)),
    "Require": ("100rel", "100rel"),
    "Retry-After": ("120 (I'm in a meeting)", RetryAfter(120, "I'm in a meeting")),
    "Route": ("<sip:bigbox3.site3.atlanta.com;lr>", NameAddr.parse("<sip:bigbox3.site3.atlanta.com;lr>")),
    "RSeq": ("988789", 988789),
    "Security-Client": ("ipsec-ike;q=0.1", Parameterised.parse("ipsec-ike;q=0.1")),
    "Security-Server": ("tls", Parameterised("tls")),
    "Security-Verify": ("tls;q=0.2", Parameterised.parse("tls;q=0.2")),
    "Server": ("HomeServer v2, x", "HomeServer v2, x"),
    "Service-Route": ("<sip:P2.HOME.EXAMPLE.COM;lr>", NameAddr.parse("<sip:P2.HOME.EXAMPLE.COM;lr>")),
    "Session-Expires": ("4000;refresher=uac", SessionExpires.parse("4000;refresher=uac")),
    "Session-ID": (f"{'a' * 32};remote={'b' * 32}", SessionId("a" * 32, "b" * 32)),
    "SIP-ETag": ("12345", "12345"),
    "SIP-If-Match": ("12345", "12345"),
    "Subject": ("Tech, Support", "Tech, Support"),
    "Subscription-State": ("active;expires=60", SubscriptionState.parse("active;expires=60")),
    "Supported": ("100rel", "100rel"),
    "Timestamp": ("54 0.5", Timestamp(54.0, 0.5)),
    "To": (ADDRESS, NameAddr.parse(ADDRESS)),
    "Unsupported": ("foo", "foo"),
    "User-Agent": ("Softphone Beta1.5", "Softphone Beta1.5"),
    "Via": ("SIP/2.0/UDP a;branch=b", Via.parse("SIP/2.0/UDP a;branch=b")),
    "Warning": ('301 isi.edu "x, y"', Warning(301, "isi.edu", "x, y")),
    "WWW-Authenticate": (DIGEST, Challenge.parse(DIGEST)),
}

SINGLE = [name for name, field in FIELDS.items() if field.rows is Rows.SINGLE]
LISTS = [name for name, field in FIELDS.items() if field.rows in (Rows.LIST, Rows.SPARSE)]


def test_every_row_has_an_example() -> None:
    assert sorted(EXAMPLES) == sorted(FIELDS)


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_typed_value(name: str) -> None:
    text, value = EXAMPLES[name]
    typed = Headers([(name, text)]).typed(name)
    assert (typed[0] if isinstance(typed, tuple) else typed) == value


@pytest.mark.parametrize("name", SINGLE)
def test_a_single_field_may_be_repeated_only_unchanged(name: str) -> None:
    text = EXAMPLES[name][0]
    assert Headers([(name, text)] * 2).typed(name) == Headers([(name, text)]).typed(name)
    with pytest.raises(ParseError):
        Headers([(name, text), (name, text + "0")]).typed(name)
    assert Headers().typed(name) is None


@pytest.mark.parametrize("name", LISTS)
def test_a_list_spans_lines_and_commas(name: str) -> None:
    text, value = EXAMPLES[name]
    assert Headers([(name, f"{text} , {text}"), (name, text)]).typed(name) == (value, value, value)
    assert Headers().typed(name) == ()


@pytest.mark.parametrize("name", [name for name in LISTS if FIELDS[name].rows is Rows.SPARSE])
def test_some_lists_may_be_empty(name: str) -> None:
    text, value = EXAMPLES[name]
    assert Headers([(name, "")]).typed(name) == ()
    assert Headers([(name, f",{text},")]).typed(name) == (value,)


@pytest.mark.parametrize("name", [name for name in LISTS if FIELDS[name].rows is Rows.LIST])
def test_the_others_may_not(name: str) -> None:
    for text in ("", EXAMPLES[name][0] + ","):
        with pytest.raises(ParseError):
            Headers([(name, text)]).typed(name)


@pytest.mark.parametrize(
    "name", ["WWW-Authenticate", "Proxy-Authenticate", "Authorization", "Proxy-Authorization"]
)
def test_commas_do_not_split_authentication(name: str) -> None:
    first, second = Headers([(name, DIGEST), (name, "Basic")]).typed(name)
    assert (first.realm, second.scheme) == ("a, b", "Basic")


def test_spellings() -> None:
    assert {NAMES[name] for name in ("Call-ID", "call-id", "CALL-ID", "Call-Id", "i", "I")} == {"Call-ID"}
    compact = {field.compact: field.name for field in FIELDS.values() if field.compact}
    assert compact == {
        "b": "Referred-By",
        "c": "Content-Type",
        "e": "Content-Encoding",
        "f": "From",
        "i": "Call-ID",
        "k": "Supported",
        "l": "Content-Length",
        "m": "Contact",
        "o": "Event",
        "r": "Refer-To",
        "s": "Subject",
        "t": "To",
        "u": "Allow-Events",
        "v": "Via",
        "x": "Session-Expires",
        "y": "Identity",
    }
    assert [NAMES[name] for name in "adjy"] == [
        "Accept-Contact",
        "Request-Disposition",
        "Reject-Contact",
        "Identity",
    ]
