"""What a Verifier believes, and what it says to everybody else (RFC 8224 §6.2)."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable

import attrs
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from sipstack.errors import LocalProtocolError
from sipstack.message import NameAddr, Passport, Request, parse_uri
from sipstack.message.headers import HeaderFields
from sipstack.message.passport import MAXIMUM_LENGTH, Party
from sipstack.stir import Verdict, Verifier
from sipstack.stir.es256 import ORDER
from sipstack.stir.verifying import MAXIMUM_IDENTITIES
from tests.message.test_passport import part
from tests.stir.carrier import (
    CALLEE,
    CALLER,
    HOUR,
    NOW,
    URL,
    Authority,
    Carrier,
    Key,
    invite,
    number_list,
    numbers,
    one,
    provider,
)

FROM, TO = parse_uri(CALLER), parse_uri(CALLEE)
DTLS = b"v=0\r\na=fingerprint:sha-256 0B:1C\r\nm=audio 1 UDP/TLS/RTP/SAVP 0\r\n"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def carrier(authority: Authority) -> Carrier:
    return Carrier(authority)


def judge(verifier: Verifier, request: Request, body: bytes = b"", asserted: tuple[str, ...] = ()) -> Verdict:
    addresses = [NameAddr.parse(each) for each in asserted]
    return asyncio.run(verifier.verify(request, body, asserted=addresses))


def signed_call(carrier: Carrier, attestation: str | None = "A", *, compact: bool = False) -> HeaderFields:
    return carrier.signer(attestation, compact=compact).headers(FROM, TO)


def passport(carrier: Carrier) -> Passport:
    return Passport(Party.of(FROM), (Party.of(TO),), int(carrier.now), URL)


def with_token(token: str, parameters: str = "", url: str = URL) -> HeaderFields:
    return (("Identity", f"{token};info=<{url}>{parameters}"),)


# --- what is believed ---


@pytest.mark.parametrize(("attestation", "compact"), [("A", False), (None, False), (None, True)])
def test_a_signed_call_is_verified(carrier: Carrier, attestation: str | None, compact: bool) -> None:
    request = invite(signed_call(carrier, attestation, compact=compact))
    verdict = judge(carrier.verifier(), request)
    assert verdict.valid
    assert verdict == Verdict(
        200, "signed", "12155551212", ("13035551212",), attestation, verdict.origin, URL
    )
    assert bool(verdict.origin) == (attestation is not None)
    assert carrier.fetched == [URL]


def test_the_same_call_may_come_again(carrier: Carrier) -> None:
    """After a challenge, or from a fork: with its Call-ID and tag."""
    verifier, fields = carrier.verifier(), signed_call(carrier)
    assert judge(verifier, invite(fields)).valid
    assert judge(verifier, invite(fields)).valid


def test_who_is_asserted_by_a_trusted_peer_may_be_the_caller(carrier: Carrier) -> None:
    anonymous = "sip:anonymous@anonymous.invalid"
    request = invite(signed_call(carrier), caller=anonymous)
    assert judge(carrier.verifier(), request).status == 438
    verdict = judge(carrier.verifier(), request, asserted=("<tel:+1-215-555-1212>",))
    assert verdict.caller == "12155551212"


def test_a_call_to_several_is_verified_by_each(carrier: Carrier) -> None:
    others = (Party("uri", "sip:bob@b.test"), Party.of(TO))
    token = carrier.signed(attrs.evolve(passport(carrier), called=others))
    called = judge(carrier.verifier(), invite(with_token(token))).called
    assert sorted(called) == ["13035551212", "sip:bob@b.test"]


def test_a_token_in_full_needs_no_date(carrier: Carrier) -> None:
    fields = tuple(each for each in signed_call(carrier) if each[0] != "Date")
    assert judge(carrier.verifier(), invite(fields)).valid


def test_a_chain_of_two_leads_to_the_anchor(authority: Authority) -> None:
    between = Authority("between", authority)
    carrier = Carrier(authority)
    own = between.certified(carrier.key, [provider()])
    carrier.certificate = own + between.certificate
    assert judge(carrier.verifier(), invite(signed_call(carrier))).valid
    carrier.certificate = own
    assert judge(carrier.verifier(), invite(signed_call(carrier))).status == 437


def test_of_several_signatures_the_valid_one_counts(carrier: Carrier) -> None:
    spoilt = with_token("e30.e30.AAAA") + with_token("e30.e30.AAAA", ";ppt=div")
    assert judge(carrier.verifier(), invite(spoilt + signed_call(carrier))).valid


# --- 428: not signed ---


def test_a_call_without_a_signature(carrier: Carrier) -> None:
    verdict = judge(carrier.verifier(), invite())
    assert (verdict.status, verdict.reason) == (428, "Use Identity Header")
    assert not verdict.valid
    assert not verdict.caller


def test_an_extension_that_we_do_not_know_counts_as_none(carrier: Carrier) -> None:
    verdict = judge(carrier.verifier(), invite(with_token("e30.e30.AAAA", ";ppt=div")))
    assert verdict.status == 428
    assert not carrier.fetched


# --- 403: not of this minute ---


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize(("seconds", "status"), [(60, 200), (61, 403), (-60, 200), (-61, 403)])
def test_a_signature_is_good_for_a_minute(carrier: Carrier, seconds: int, status: int, compact: bool) -> None:
    request = invite(signed_call(carrier, None, compact=compact))
    carrier.now += seconds
    verdict = judge(carrier.verifier(), request)
    assert verdict.status == status
    assert verdict.reason == ("OK" if status == 200 else "Stale Date")


def test_an_old_signature_under_a_new_date(carrier: Carrier) -> None:
    old = signed_call(carrier)
    carrier.now += 3600
    fresh = signed_call(carrier)
    verdict = judge(carrier.verifier(), invite((fresh[0], old[1])))
    assert verdict.status == 403
    assert not carrier.fetched


def test_a_new_signature_under_an_old_date(carrier: Carrier) -> None:
    old = signed_call(carrier)
    carrier.now += 3600
    assert judge(carrier.verifier(), invite((old[0], signed_call(carrier)[1]))).status == 403


def test_in_the_compact_form_another_date_spoils_the_signature(carrier: Carrier) -> None:
    first = signed_call(carrier, None, compact=True)
    carrier.now += 5
    second = signed_call(carrier, None, compact=True)
    assert judge(carrier.verifier(), invite((second[0], first[1]))).status == 438


def test_the_compact_form_without_a_date(carrier: Carrier) -> None:
    fields = signed_call(carrier, None, compact=True)[1:]
    assert judge(carrier.verifier(), invite(fields)).status == 438


def test_a_date_that_is_none(carrier: Carrier) -> None:
    fields = (("Date", "yesterday"), signed_call(carrier)[1])
    assert judge(carrier.verifier(), invite(fields)).status == 438


# --- 436: the certificate cannot be had ---


ODD_URLS = [
    "http://a.test/x",
    "file:///etc/passwd",
    "cid:x",
    "https://a.test/" + "x" * 600,
    "https://me:pw@a.test/x",
    "https://a.test/x?y",
    "https://a.test/#x",
]


@pytest.mark.parametrize("url", ODD_URLS)
def test_only_https_is_fetched(carrier: Carrier, url: str) -> None:
    token = carrier.signed(attrs.evolve(passport(carrier), certificate_url=url))
    verdict = judge(carrier.verifier(), invite(with_token(token, url=url)))
    assert (verdict.status, verdict.reason) == (436, "Bad Identity Info")
    assert not carrier.fetched


@pytest.mark.parametrize("error", [TimeoutError("too slow"), KeyError("gone"), ValueError("\x1b[31m")])
def test_a_certificate_that_cannot_be_fetched(carrier: Carrier, error: Exception) -> None:
    async def fetch(url: str) -> bytes:
        raise error

    verdict = judge(
        Verifier(fetch, carrier.authority.certificate, clock=lambda: NOW), invite(signed_call(carrier))
    )
    assert verdict.status == 436
    assert type(error).__name__ in verdict.explanation
    assert "\x1b" not in verdict.explanation


def test_who_gives_up_waiting_for_a_certificate_is_not_told_that_it_is_bad(carrier: Carrier) -> None:
    async def fetch(url: str) -> bytes:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    async def give_up() -> None:
        verifier = Verifier(fetch, carrier.authority.certificate, clock=lambda: NOW)
        task = asyncio.create_task(verifier.verify(invite(signed_call(carrier))))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())


# --- 437: the certificate is not to be trusted ---

Makes = Callable[[Authority, Key], bytes]
UNTRUSTED: dict[str, Makes] = {
    "of nobody": lambda authority, key: Authority("other").certified(key, [provider()]),
    "expired": lambda authority, key: authority.certified(key, [provider()], begins=-2 * HOUR, ends=-HOUR),
    "not begun": lambda authority, key: authority.certified(key, [provider()], begins=HOUR, ends=2 * HOUR),
    "no numbers": lambda authority, key: authority.certified(key),
    "other numbers": lambda authority, key: authority.certified(key, [one("13035551212")]),
    "another range": lambda authority, key: authority.certified(key, [numbers("12155551300", 100)]),
    "a broken list": lambda authority, key: authority.certified(key, extension=number_list(b"\xa0\x7f")),
    "not for signing": lambda authority, key: authority.certified(key, [provider()], signs=False),
    "not pem": lambda authority, key: b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "empty": lambda authority, key: b"",
    "too long": lambda authority, key: authority.certified(key, [provider()]) + b"\n" * 70_000,
    "a long chain": lambda authority, key: authority.certified(key, [provider()]) * 20,
    "a web site": lambda authority, key: authority.certified(key, domains=[x509.DNSName("carrier.test")]),
}


@pytest.mark.parametrize("kind", UNTRUSTED)
def test_a_certificate_that_is_not_to_be_trusted(authority: Authority, kind: str) -> None:
    carrier = Carrier(authority)
    carrier.certificate = UNTRUSTED[kind](authority, carrier.key)
    verdict = judge(carrier.verifier(), invite(signed_call(carrier)))
    assert (verdict.status, verdict.reason) == (437, "Unsupported Credential")
    assert not verdict.caller


@pytest.mark.parametrize(
    "key",
    [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)],
    ids=["p-384", "rsa"],
)
def test_a_key_of_another_kind(authority: Authority, key: Key) -> None:
    carrier = Carrier(authority, authority.certified(key, [provider()]))
    verdict = judge(carrier.verifier(), invite(signed_call(carrier)))
    assert (verdict.status, verdict.explanation) == (437, "the key of the certificate is not on P-256")


@pytest.mark.parametrize("entry", [one("12155551212"), numbers("12155551200", 100), provider()])
def test_a_certificate_for_the_number(authority: Authority, entry: bytes) -> None:
    carrier = Carrier(authority)
    carrier.certificate = authority.certified(carrier.key, [entry])
    assert judge(carrier.verifier(), invite(signed_call(carrier))).valid


@pytest.mark.parametrize(
    ("name", "status"),
    [
        (x509.DNSName("pbx.test"), 200),
        (x509.DNSName("PBX.test"), 200),
        (x509.UniformResourceIdentifier("sip:pbx.test"), 200),
        (x509.DNSName("test"), 437),
        (x509.DNSName("*.test"), 437),
        (x509.UniformResourceIdentifier("sip:alice@pbx.test"), 437),
        (x509.UniformResourceIdentifier("https://pbx.test"), 437),
    ],
)
def test_a_uri_is_signed_by_its_domain(authority: Authority, name: x509.GeneralName, status: int) -> None:
    """A provider of numbers has no say in the addresses of others, nor a domain in numbers."""
    carrier = Carrier(authority)
    carrier.certificate = authority.certified(carrier.key, [provider()], domains=[name])
    alice = "sip:alice@pbx.test"
    fields = carrier.signer(None).headers(parse_uri(alice), TO)
    verdict = judge(carrier.verifier(), invite(fields, caller=alice))
    assert verdict.status == status
    assert verdict.caller == (alice if status == 200 else "")


def test_anchors_that_are_none() -> None:
    async def fetch(url: str) -> bytes:
        return b""

    for anchors in (b"", b"nonsense"):
        with pytest.raises(LocalProtocolError, match="anchors"):
            Verifier(fetch, anchors)


# --- 438: not of this call ---


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize(
    ("caller", "called"),
    [
        ("sip:+12155551213@carrier.test", CALLEE),
        ("sip:alice@carrier.test", CALLEE),
        (CALLER, "sip:+13035551213@other.test"),
        (CALLER, "sip:bob@other.test"),
    ],
)
def test_a_signature_under_another_number(carrier: Carrier, caller: str, called: str, compact: bool) -> None:
    fields = signed_call(carrier, None, compact=compact)
    verdict = judge(carrier.verifier(), invite(fields, caller=caller, called=called))
    made_up_uri = compact and "alice" in caller  # for which a provider of numbers cannot sign at all
    assert verdict.status == (437 if made_up_uri else 438)
    assert not verdict.caller


def test_the_right_number_at_another_domain_is_the_right_number(carrier: Carrier) -> None:
    request = invite(signed_call(carrier), caller="sip:+12155551212@gateway.test;user=phone")
    assert judge(carrier.verifier(), request).caller == "12155551212"


def test_a_signature_of_somebody_else(carrier: Carrier) -> None:
    fields = signed_call(Carrier(carrier.authority))
    verdict = judge(carrier.verifier(), invite(fields))
    assert (verdict.status, verdict.reason) == (438, "Invalid Identity Header")


@pytest.mark.parametrize("signature", ["AA", "AAAA", "A" * 86, "A" * 4000])
def test_a_signature_that_is_none(carrier: Carrier, signature: str) -> None:
    token = carrier.signed(passport(carrier)).rpartition(".")[0]
    assert judge(carrier.verifier(), invite(with_token(f"{token}.{signature}"))).status == 438


def test_claims_that_were_changed(carrier: Carrier) -> None:
    header, _, signature = carrier.signed(passport(carrier)).split(".")
    claims = attrs.evolve(passport(carrier), called=(Party.of(TO), Party("tn", "1"))).claims
    forged = f"{header}.{part(claims)}.{signature}"
    assert judge(carrier.verifier(), invite(with_token(forged))).status == 438
    assert carrier.fetched == [URL]


@pytest.mark.parametrize("algorithm", ["none", "RS256", "HS256"])
def test_another_algorithm_in_the_token_or_beside_it(carrier: Carrier, algorithm: str) -> None:
    """The classic attack on JWT: no signature at all, or the public key taken for a shared one."""
    _, claims, signature = carrier.signed(passport(carrier)).split(".")
    header = part(passport(carrier).header | {"alg": algorithm})
    for token in (f"{header}.{claims}.{signature}", f"{header}.{claims}."):
        assert judge(carrier.verifier(), invite(with_token(token))).status == 438
    token = carrier.signed(passport(carrier))
    assert judge(carrier.verifier(), invite(with_token(token, f";alg={algorithm}"))).status == 438
    assert not carrier.fetched


def test_another_certificate_beside_the_token(carrier: Carrier) -> None:
    token = carrier.signed(passport(carrier))
    verdict = judge(carrier.verifier(), invite(with_token(token, url="https://evil.test/mine.pem")))
    assert (verdict.status, verdict.explanation) == (
        438,
        "the Identity and its token name different certificates",
    )
    assert not carrier.fetched


def test_another_extension_beside_the_token(carrier: Carrier) -> None:
    plain = carrier.signed(passport(carrier))
    assert judge(carrier.verifier(), invite(with_token(plain, ";ppt=shaken"))).status == 438
    shaken = str(signed_call(carrier)[1][1]).partition(";")[0]
    assert judge(carrier.verifier(), invite(with_token(shaken))).status == 438


def test_shaken_in_the_compact_form(carrier: Carrier) -> None:
    """Its attestation would be anybody's guess."""
    token = str(signed_call(carrier, None, compact=True)[1][1]).partition(";")[0]
    fields = (signed_call(carrier)[0], *with_token(token, ";ppt=shaken"))
    assert judge(carrier.verifier(), invite(fields)).status == 438


def test_other_fingerprints_than_the_signed_ones(carrier: Carrier) -> None:
    """RFC 8224 §12.1: who sits in between puts his own key into the description."""
    for compact in (False, True):
        fields = carrier.signer(None, compact=compact).headers(FROM, TO, DTLS)
        request, verifier = invite(fields), carrier.verifier()
        assert judge(verifier, request, DTLS.replace(b"0B:1C", b"0B:1D")).status == 438
        assert judge(verifier, request, b"v=0\r\n").status == 438
        assert judge(verifier, request, DTLS).valid


# --- the same signature again ---


def test_a_signature_that_comes_with_another_call(carrier: Carrier) -> None:
    """Within its minute who has seen a call could place it again, to the same phone."""
    verifier, fields = carrier.verifier(), signed_call(carrier)
    assert judge(verifier, invite(fields, call_id="1")).valid
    carrier.now += 30
    verdict = judge(verifier, invite(fields, call_id="2"))
    assert (verdict.status, verdict.explanation) == (438, "the same signature came with another call")
    assert judge(verifier, invite(fields, call_id="1")).valid


def test_the_other_signature_that_anybody_can_make_of_one(carrier: Carrier) -> None:
    """(r, s) and (r, n - s) are equal to ECDSA."""
    token = carrier.signed(passport(carrier))
    signature = Passport.parse(token).signature
    other = signature[:32] + (ORDER - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
    twin = attrs.evolve(passport(carrier)).token(other)
    assert twin != token
    assert judge(carrier.verifier(), invite(with_token(twin))).valid  # alone it is a good one
    verifier = carrier.verifier()
    assert judge(verifier, invite(with_token(token), call_id="1")).valid
    assert judge(verifier, invite(with_token(twin), call_id="2")).status == 438


def test_a_bad_signature_is_not_remembered(carrier: Carrier) -> None:
    """Else who cannot sign could spoil the call of who can, or fill the memory."""
    verifier = carrier.verifier()
    fields = signed_call(carrier)
    assert judge(verifier, invite(fields, call_id="evil", caller="sip:+12155551213@a.test")).status == 438
    assert len(verifier._replays) == 0
    assert judge(verifier, invite(fields)).valid


# --- too much of it ---


def test_a_token_beyond_all_measure(carrier: Carrier) -> None:
    claims = passport(carrier).claims | {"x": "a" * MAXIMUM_LENGTH}
    token = f"{part(passport(carrier).header)}.{part(claims)}.AAAA"
    verdict = judge(carrier.verifier(), invite(with_token(token)))
    assert verdict.status == 438
    assert not carrier.fetched


def test_a_token_nested_too_deep(carrier: Carrier) -> None:
    token = f"{part(passport(carrier).header)}.{part('[' * 5000)}.AAAA"
    assert judge(carrier.verifier(), invite(with_token(token))).status == 438


def test_of_many_signatures_a_few_are_looked_at(carrier: Carrier) -> None:
    fields = signed_call(Carrier(carrier.authority))[1:] * 50
    verdict = judge(carrier.verifier(), invite(fields + signed_call(carrier)[1:]))
    assert verdict.status == 438
    assert len(carrier.fetched) == MAXIMUM_IDENTITIES


@pytest.mark.parametrize("text", ["", "nonsense", "a.b.c;info=x", "a b"])
def test_an_identity_that_cannot_be_read(carrier: Carrier, text: str) -> None:
    verdict = judge(carrier.verifier(), invite((("Identity", text),)))
    assert (verdict.status, verdict.explanation) == (438, "the Identity cannot be read")


def test_a_from_that_is_no_uri(carrier: Carrier) -> None:
    request = invite(signed_call(carrier))
    headers = request.headers.with_("From", "<sip:+1215@@@>;tag=1")
    assert judge(carrier.verifier(), Request("INVITE", CALLEE, headers)).status == 438


def test_a_hundred_years_are_one_clock(carrier: Carrier) -> None:
    """A time in a token is a number of a stranger's."""
    token = carrier.signed(attrs.evolve(passport(carrier), issued=2**40 - 1))
    assert judge(carrier.verifier(), invite(with_token(token))).status == 403
    assert datetime.datetime.fromtimestamp(carrier.now, datetime.UTC).year == 2027
