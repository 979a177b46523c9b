"""Calls that are signed, and what the phone at the other end makes of them (RFC 8224, RFC 8588)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from sipstack import CallRejected, IncomingRequest, Invitation, LocalProtocolError, UserAgent
from sipstack.message import Passport, Request, Response, parse_uri
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.registrar import Challenger
from sipstack.testing.world import World

pytest.importorskip("cryptography", reason="STIR needs cryptography")

from sipstack.stir import Verdict, Verifier
from tests.stir.carrier import NOW, Authority, Carrier

pytestmark = pytest.mark.virtual_time

ALICE, BOB = "sip:+12155551212@alice.test", "sip:+13035551212@bob.test"
SDP = b"v=0\r\no=- 1 1 IN IP4 10.0.9.9\r\ns=-\r\nc=IN IP4 10.0.9.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
FINGERPRINT = b"a=fingerprint:sha-256 0B:1C\r\n"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def carrier(authority: Authority, world: World) -> Carrier:
    return Carrier(authority)


class Screening:
    """Refuses whoever is not proved, and rejects the others as busy."""

    def __init__(self, verifier: Verifier) -> None:
        self.verifier = verifier
        self.verdicts: list[Verdict] = []

    async def __call__(self, invitation: Invitation) -> None:
        verdict = await invitation.verified(self.verifier)
        self.verdicts.append(verdict)
        if verdict.valid:
            await invitation.reject(486)
        else:
            await invitation.reject(verdict.status, verdict.reason)


def phones(world: World) -> tuple[UserAgent, UserAgent]:
    return world.user_agent("alice", aor=ALICE), world.user_agent("bob", aor=BOB)


async def refused(alice: UserAgent, **options: object) -> str:
    with pytest.raises(CallRejected) as error:
        async with alice.call(BOB, **options):  # type: ignore[arg-type]
            pytest.fail("nobody accepts")
    return str(error.value)


async def test_a_call_that_is_not_signed_is_refused_with_428(world: World, carrier: Carrier) -> None:
    alice, bob = phones(world)
    screening = Screening(carrier.verifier())
    async with alice, bob, bob.serving(screening):
        assert await refused(alice) == "428 Use Identity Header"


async def test_a_signed_call_is_known_at_the_other_end(world: World, carrier: Carrier) -> None:
    alice, bob = phones(world)
    screening = Screening(carrier.verifier())
    async with alice, bob, bob.serving(screening):
        assert await refused(alice, signer=carrier.signer("A")) == "486 Busy Here"
    [verdict] = screening.verdicts
    assert (verdict.caller, verdict.called, verdict.attestation) == ("12155551212", ("13035551212",), "A")


@pytest.mark.parametrize("compact", [False, True])
async def test_a_plain_signature_goes_along_too(world: World, carrier: Carrier, compact: bool) -> None:
    alice, bob = phones(world)
    screening = Screening(carrier.verifier())
    async with alice, bob, bob.serving(screening):
        assert await refused(alice, signer=carrier.signer(None, compact=compact)) == "486 Busy Here"


async def test_the_from_that_a_call_goes_out_with_is_signed(world: World, carrier: Carrier) -> None:
    alice, bob = phones(world)
    screening = Screening(carrier.verifier())
    async with alice, bob, bob.serving(screening):
        await refused(alice, signer=carrier.signer(), from_="sip:+442079460000@alice.test")
    assert screening.verdicts[0].caller == "442079460000"


async def test_a_call_between_uris_is_signed_by_a_domain(world: World, carrier: Carrier) -> None:
    """And not by a provider of numbers."""
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(Screening(carrier.verifier())):
            with pytest.raises(CallRejected, match="437 Unsupported Credential"):
                async with alice.call("sip:bob@bob.test", signer=carrier.signer()):
                    pytest.fail("nobody accepts")


async def test_who_signs_is_not_anonymous(world: World, carrier: Carrier) -> None:
    alice, _ = phones(world)
    async with alice:
        with pytest.raises(LocalProtocolError, match="a signature tells who calls"):
            alice.call(BOB, privacy="id", signer=carrier.signer())
        with pytest.raises(LocalProtocolError, match="the signer writes it"):
            alice.call(BOB, signer=carrier.signer(), headers={"Date": "Fri, 15 Jan 2027 08:00:00 GMT"})


# --- the attacker, who has heard a call ---


class Tapping(ScriptedPeer):
    """Hears every INVITE, and refuses it."""

    def __init__(self, world: World) -> None:
        super().__init__(world, "evil", on_request=self._refuse)

    def _refuse(self, request: Request) -> Iterable[Response]:
        return [] if request.method == "ACK" else [request.response(486, to_tag="evil")]


async def replayed(world: World, carrier: Carrier, changes: dict[str, str], *, later: float = 0.0) -> str:
    """What bob's screening says to the call that evil has heard, with other fields."""
    alice, bob = phones(world)
    async with alice, bob, Tapping(world) as evil, bob.serving(Screening(carrier.verifier())):
        with pytest.raises(CallRejected):
            async with alice.call("sip:+13035551212@evil.test", signer=carrier.signer()):
                pytest.fail("evil accepts nothing")
        carrier.now += later
        address = world.names["bob.test"][0], 5060
        headers = evil.invite.headers.with_("Via", "SIP/2.0/UDP evil.test;branch=z9hG4bKevil;rport")
        for name, value in changes.items():
            headers = headers.with_(name, value)
        evil.send(address, Request("INVITE", BOB, headers, evil.invite.body))
        await evil.responded(1)
        return f"{evil.response.status} {evil.response.reason}"


async def test_a_heard_call_leads_once_to_whom_it_was_signed_for(world: World, carrier: Carrier) -> None:
    """Nothing in RFC 8224 tells the copy from the call as long as that has not come: it only rings there."""
    assert await replayed(world, carrier, {}) == "486 Busy Here"


@pytest.mark.parametrize(
    "changes",
    [
        {"From": "<sip:+12155551213@alice.test>;tag=1"},
        {"To": "<sip:+13035551213@bob.test>"},
        {"Identity": "e30.e30.AAAA;info=<https://evil.test/>;alg=none"},
    ],
    ids=["another caller", "another callee", "no signature"],
)
async def test_a_heard_signature_on_another_call(
    world: World, carrier: Carrier, changes: dict[str, str]
) -> None:
    assert await replayed(world, carrier, changes) == "438 Invalid Identity Header"


async def test_a_heard_call_an_hour_later(world: World, carrier: Carrier) -> None:
    assert await replayed(world, carrier, {}, later=3600) == "403 Stale Date"


async def test_a_heard_call_an_hour_later_with_a_new_date(world: World, carrier: Carrier) -> None:
    date = {"Date": "Fri, 15 Jan 2027 09:00:00 GMT"}
    assert await replayed(world, carrier, date, later=3600) == "403 Stale Date"


async def test_a_call_that_came_is_not_believed_again(world: World, carrier: Carrier) -> None:
    alice, bob = phones(world)
    screening = Screening(carrier.verifier())
    async with alice, bob, ScriptedPeer(world, "evil") as evil, bob.serving(screening):
        await refused(alice, signer=carrier.signer())
        heard = next(each.data for each in world.sent if each.data.startswith(b"INVITE"))
        again = heard.replace(b"branch=z9hG4bK", b"branch=z9hG4bKevil").replace(
            b"Call-ID: ", b"Call-ID: evil"
        )
        evil.send((world.names["bob.test"][0], 5060), again)
        await asyncio.sleep(1)
    assert [verdict.status for verdict in screening.verdicts] == [200, 438]


# --- what happens on the way ---


async def test_a_challenge_does_not_spoil_the_signature(world: World, carrier: Carrier) -> None:
    """The INVITE comes twice with one signature, in one call."""
    challenger = Challenger("secret")
    verifier, verdicts = carrier.verifier(), []
    alice = world.user_agent(
        "alice", aor=ALICE, username="alice", password="secret", credentials_to=["bob.test"]
    )

    async def judge(request: Request) -> None:
        verdicts.append((await verifier.verify(request)).status)

    def challenge(request: Request) -> Iterable[Response]:
        if request.method == "INVITE":
            asyncio.ensure_future(judge(request))  # noqa: RUF006
            yield challenger.challenge(request, world.now) or request.response(486, to_tag="x")

    async with alice, ScriptedPeer(world, "bob", on_request=challenge):
        await refused(alice, signer=carrier.signer())
        await asyncio.sleep(0)
    assert verdicts == [200, 200]


async def test_another_offer_gets_another_signature(world: World, carrier: Carrier) -> None:
    """The second INVITE has one Identity, which is made for it."""
    pytest.importorskip("pylibsrtp", reason="SDES needs pylibsrtp")

    def media(host: str) -> object:
        return world.audio_session(host, security=("sdes", "none"), insecure_keys=True)

    def refuse(request: Request) -> Iterable[Response]:
        if request.method == "INVITE":
            carrier.now += 10
            yield request.response(488, to_tag="x")

    alice = world.user_agent("alice", aor=ALICE, media=media)
    async with alice, ScriptedPeer(world, "bob", on_request=refuse) as bob:
        await refused(alice, signer=carrier.signer(None))
    first, second = [each for each in bob.requests if each.method == "INVITE"]
    passports = [Passport.parse(each.headers.typed("Identity")[0].token) for each in (first, second)]
    assert len(second.headers.raw("Identity")) == len(second.headers.raw("Date")) == 1
    assert passports[1].issued == passports[0].issued + 10


async def test_the_fingerprint_of_an_offer_is_signed(world: World, carrier: Carrier) -> None:
    """And who changes it on the way is found out."""
    alice, bob = phones(world)
    screening = Screening(carrier.verifier())
    signed = carrier.signer(None)
    async with alice, bob, ScriptedPeer(world, "middle") as middle, bob.serving(screening):
        for count, sent in enumerate((FINGERPRINT, FINGERPRINT.replace(b"0B", b"0C")), 1):
            invite = middle.write("INVITE", BOB, body=SDP + sent, call_id=f"call-{count}")
            fields = signed.headers(parse_uri(ALICE), parse_uri(BOB), SDP + FINGERPRINT)
            headers = invite.headers.with_("From", f"<{ALICE}>;tag={count}")
            for name, value in fields:
                headers = headers.with_(name, value)
            middle.send((world.names["bob.test"][0], 5060), invite.replace(headers=headers))
            await middle.responded(2 * count - 1)
    assert [verdict.status for verdict in screening.verdicts] == [200, 438]


async def test_a_message_is_verified_like_a_call(world: World, carrier: Carrier) -> None:
    verdicts: list[Verdict] = []

    async def take(request: IncomingRequest) -> None:
        verdicts.append(await request.verified(carrier.verifier()))
        await request.respond(200)

    alice, bob = phones(world)
    async with alice, bob, bob.serving(requests={"MESSAGE": take}):
        fields = carrier.signer().headers(parse_uri(ALICE), parse_uri(BOB))
        await alice.message(BOB, "hello", headers=fields)
        await alice.message(BOB, "hello")
    assert [verdict.status for verdict in verdicts] == [200, 428]


async def test_a_caller_who_gives_up_ends_the_look_at_his_signature(world: World, carrier: Carrier) -> None:
    """The certificate does not come: the handler is cancelled with the call, and nothing is left."""
    cancelled: list[bool] = []

    async def fetch(url: str) -> bytes:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return b""

    alice, bob = phones(world)
    verifier = Verifier(fetch, carrier.authority.certificate, clock=lambda: NOW)
    async with alice, bob, bob.serving(Screening(verifier)):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5), alice.call(BOB, signer=carrier.signer()):
                pytest.fail("nobody accepts")
        await asyncio.sleep(1)
    assert cancelled == [True]
    assert world.leftovers == []
