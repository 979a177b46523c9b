"""A binding at a registrar: kept, lengthened, removed, refused (RFC 3261 §10)."""

from __future__ import annotations

from itertools import pairwise

import pytest

from sipstack.core.events import Registered, RegistrationFailed
from sipstack.errors import TransactionTimeout
from sipstack.message.digest import DigestAccount
from sipstack.message.digest_server import DigestServer, Verdict
from sipstack.testing.agent import CoreAgent
from sipstack.testing.ladders import ladder
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.usage.registration.usage import RegistrationUsage
from tests.simulation.challenges import PASSWORD, REALM, USERNAME, challenge, server, verdict

CONTACT = "<sip:alice@192.0.2.1:5060>"


def registering(
    expires: int = 600, **configuration: object
) -> tuple[World, CoreAgent, ScriptedPeer, RegistrationUsage]:
    """Alice, who has just sent a REGISTER."""
    world = World()
    alice = CoreAgent(world, "alice", ("192.0.2.1", 5060), **configuration)
    registrar = ScriptedPeer(world, "registrar", ("192.0.2.9", 5060))
    registration = alice.core.register("sip:192.0.2.9", expires)
    registration.refresh(world.now)
    return world, alice, registrar, registration


def accept(registrar: ScriptedPeer, *contacts: str, **fields: str) -> None:
    """200 with these bindings."""
    headers = [*(("Contact", contact) for contact in contacts), *fields.items()]
    registrar.answer(registrar.request, 200, "r", contact="-", headers=headers)


# --- refused ---


def test_a_registrar_that_is_not_there() -> None:
    world, alice, registrar, _ = registering()
    world.settle()
    assert [line for line in world.ladder() if "REGISTER" not in line] == []
    assert (alice.told, alice.leftovers, len(registrar.heard)) == (["RegistrationFailed"], [], 11)
    assert isinstance(alice.last(RegistrationFailed).error, TransactionTimeout)


@pytest.mark.parametrize("status", [401, 403, 404, 423, 500, 503])
def test_a_refusal_is_told_and_nothing_is_tried_again(status: int) -> None:
    world, alice, registrar, _ = registering()
    registrar.answer(registrar.request, status, "r", contact="-")
    world.settle()
    response = alice.last(RegistrationFailed).response
    assert response is not None
    assert (response.status, alice.told, len(registrar.heard)) == (status, ["RegistrationFailed"], 1)


@pytest.mark.parametrize("minimum", ["600", "60", "", "soon", "-1", "²", "99999999999", "9" * 5000])
def test_a_423_that_asks_for_nothing_longer_is_a_refusal(minimum: str) -> None:
    world, alice, registrar, _ = registering(expires=600)
    headers = [("Min-Expires", minimum)]
    registrar.answer(registrar.request, 423, "r", contact="-", headers=headers)
    world.run(60)
    assert (alice.told, len(registrar.heard)) == (["RegistrationFailed"], 1)
    assert alice.last(RegistrationFailed).response is not None


def test_a_binding_for_no_time_is_none() -> None:
    world, alice, registrar, _ = registering()
    accept(registrar, f"{CONTACT};expires=0")
    world.settle()
    assert (alice.told, len(registrar.heard)) == (["RegistrationFailed"], 1)


# --- granted ---


def test_the_register_as_it_goes_out() -> None:
    _, _, registrar, _ = registering(user_agent="test/1")
    register, aor = registrar.request, "<sip:alice@example.com>"
    assert register.start_line == "REGISTER sip:192.0.2.9 SIP/2.0"
    assert list(register.headers.items()) == [
        ("Via", f"SIP/2.0/UDP 192.0.2.1:5060;branch={register.via.branch};rport"),
        ("Max-Forwards", "70"),
        ("From", f"{aor};tag={register.from_.tag}"),
        ("To", aor),
        ("Call-ID", register.call_id),
        ("CSeq", "1 REGISTER"),
        ("Contact", f"{CONTACT};expires=600"),
        ("Supported", "path"),
        ("User-Agent", "test/1"),
        ("Session-ID", register.headers.get("Session-ID")),
        ("Content-Length", "0"),
    ]


OTHER = "<sip:alice@198.51.100.7>;expires=9"

GRANTED = {
    "by the expires of our Contact": ([OTHER, f"{CONTACT};expires=120"], {"Expires": "50"}, 120.0),
    "by a Contact written in another way": (["<SIP:alice@192.0.2.1:5060>;EXPIRES=70"], {}, 70.0),
    "by the Expires field": ([OTHER, CONTACT], {"Expires": "50"}, 50.0),
    "by neither, so as we asked": ([OTHER, CONTACT], {}, 600.0),
    "without any Contact": ([], {}, 600.0),
    "when our expires is no number": ([f"{CONTACT};expires=soon"], {"Expires": "50"}, 50.0),
    "for longer than time lasts": ([f"{CONTACT};expires=99999999999999"], {}, 2.0**31),
    "beside a Contact that nobody can read": (["<sip:>", CONTACT], {}, 600.0),
    "with an Expires that nobody can read": ([CONTACT], {"Expires": "tomorrow"}, 600.0),
    "by ours with a parameter more": (
        [OTHER, "<sip:alice@192.0.2.1:5060;transport=udp>;expires=90"],
        {},
        90.0,
    ),
    "by ours as another NAT wrote it": (["<sip:alice@203.0.113.77:40123>;expires=90"], {}, 90.0),
    "where none is ours, by the least": ([OTHER, "<sip:x@203.0.113.7>;expires=90"], {}, 9.0),
    "where none is ours, never for longer than asked": (["<sip:x@203.0.113.7>;expires=900"], {}, 600.0),
    "where none is ours, by the Expires field": ([OTHER], {"Expires": "60"}, 60.0),
}

ODD = {
    "a Date that came with a comma": ", Date:Thu, 24 May 2018 05:52:55 GMT",
    "a header that came with a comma": ",: <sip:x@y.invalid>",
    "a URI with a blank": ", <sip:a b@192.0.2.9>",
    "a URI without user and host": ", <sip:@@h>",
    "a semicolon at the end": ";",
    "a comma at the end": ",",
    "a star": ", *",
    "what does not close": ', "x <sip:a@h>',
    "an address that does not close": ", <sip:a@h",
    "another scheme": ", <mailto:alice@example.com>;expires=5",
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("expires_in", ["contact", "field"])
def test_an_odd_element_beside_our_binding_changes_nothing(odd: str, expires_in: str) -> None:
    """§10.2.4: what we need is our own binding; the others' are not for us to judge."""
    _, alice, registrar, _ = registering()
    if expires_in == "contact":
        accept(registrar, f"{CONTACT};expires=60{odd}")
    else:
        accept(registrar, f"{CONTACT}{odd}", Expires="60")
    assert alice.last(Registered).expires == 60.0


@pytest.mark.parametrize("odd", list(ODD.values())[1:4], ids=list(ODD)[1:4])
def test_an_odd_element_before_our_binding_changes_nothing(odd: str) -> None:
    _, alice, registrar, _ = registering()
    accept(registrar, f"{odd[1:]}, {CONTACT};expires=60")
    assert alice.last(Registered).expires == 60.0


@pytest.mark.parametrize(("contacts", "fields", "seconds"), GRANTED.values(), ids=GRANTED)
def test_the_time_granted(contacts: list[str], fields: dict[str, str], seconds: float) -> None:
    """§10.2.4"""
    _, alice, registrar, _ = registering()
    accept(registrar, *contacts, **fields)
    assert alice.last(Registered).expires == seconds


def test_it_is_refreshed_before_it_ends_with_the_same_call_id_and_the_next_cseq() -> None:
    world, alice, registrar, _ = registering()
    for number in range(1, 5):
        register = registrar.request
        assert (register.cseq.number, register.call_id) == (number, registrar.heard[0].call_id)
        accept(registrar, f"{CONTACT};expires=1000")
        while len(registrar.heard) == number:
            world.run_until(world.next)
    assert alice.told == ["Registered"] * 4
    sent = [time for time, line in world.timed_ladder() if line.startswith("alice")]
    pauses = [later - earlier for earlier, later in pairwise(sent)]
    assert (len(pauses), min(pauses) >= 1000 * 0.75, max(pauses) <= 1000 * 0.9) == (4, True, True)


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_refresh_that_is_refused_is_not_repeated_by_itself(by_hand: bool) -> None:
    world, alice, registrar, registration = registering()
    accept(registrar, f"{CONTACT};expires=100")
    if by_hand:
        registration.refresh(world.now)
    world.run()
    while len(registrar.heard) == 1:
        world.run_until(world.next)
    registrar.answer(registrar.request, 500, "r", contact="-")
    world.run(1000)
    assert (alice.told, len(registrar.heard)) == (["Registered", "RegistrationFailed"], 2)
    registration.leave()  # until then its way is kept alive: the binding may stand still
    world.settle()


def test_423_tells_how_long_it_has_to_be() -> None:
    world, alice, registrar, _ = registering(expires=60)
    headers = [("Min-Expires", "300")]
    registrar.answer(registrar.request, 423, "r", contact="-", headers=headers)
    assert registrar.request.headers.get("Contact") == f"{CONTACT};expires=300"
    accept(registrar, f"{CONTACT};expires=300")
    assert alice.told == ["Registered"]
    assert world.ladder() == ladder("""
        alice -> registrar    REGISTER sip:192.0.2.9 [1]
        registrar -> alice    423 Interval Too Brief [1 REGISTER]
        alice -> registrar    REGISTER sip:192.0.2.9 [2]
        registrar -> alice    200 OK [2 REGISTER]
    """)


def test_it_goes_by_the_proxy_when_there_is_one() -> None:
    _, _, registrar, _ = registering(proxy="<sip:192.0.2.9:5060;lr>")
    assert registrar.request.headers.get("Route") == "<sip:192.0.2.9:5060;lr>"


# --- removed ---


def test_our_binding_is_removed_and_not_refreshed_again() -> None:
    world, alice, registrar, registration = registering()
    accept(registrar, f"{CONTACT};expires=100")
    registration.remove(world.now)
    assert registrar.request.headers.get("Contact") == f"{CONTACT};expires=0"
    accept(registrar)
    world.settle()
    assert (alice.told, len(registrar.heard), alice.leftovers) == (["Registered", "Unregistered"], 2, [])


def test_all_bindings_are_removed_by_a_star() -> None:
    world, alice, registrar, registration = registering()
    accept(registrar)
    registration.remove_all(world.now)
    headers = registrar.request.headers
    assert (headers.raw("Contact"), headers.raw("Expires")) == (("*",), ("0",))
    accept(registrar)
    assert alice.told == ["Registered", "Unregistered"]


def test_a_removal_that_is_refused_or_unanswered_is_told() -> None:
    world, alice, registrar, registration = registering()
    accept(registrar)
    registration.remove(world.now)
    registrar.answer(registrar.request, 423, "r", contact="-", headers=[("Min-Expires", "9999")])
    registration.remove(world.now)
    world.settle()
    assert alice.told == ["Registered", "RegistrationFailed", "RegistrationFailed"]


def test_one_register_at_a_time() -> None:
    """§10.2: "UAs MUST NOT send a new registration ... until they have received a final response"."""
    world, alice, registrar, registration = registering()
    registration.refresh(world.now)
    registration.remove(world.now)
    world.run(0.3)
    assert len(registrar.heard) == 1
    accept(registrar, f"{CONTACT};expires=100")
    assert alice.told == []  # the answer that counts is that to the latest wish
    assert registrar.request.headers.get("Contact") == f"{CONTACT};expires=0"
    accept(registrar)
    world.settle()
    assert (alice.told, len(registrar.heard)) == (["Unregistered"], 2)


def test_the_removal_goes_out_even_when_the_register_before_it_fails() -> None:
    world, alice, registrar, registration = registering()
    registration.remove(world.now)
    registrar.answer(registrar.request, 500, "r", contact="-")
    accept(registrar)
    assert alice.told == ["Unregistered"]


# --- authentication ---

ACCOUNT = DigestAccount(USERNAME, PASSWORD)


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512-256", "MD5-sess", "SHA-256-sess"])
def test_a_challenge_is_answered(algorithm: str) -> None:
    world, alice, registrar, _ = registering(account=ACCOUNT)
    digest = server(algorithm)
    first = registrar.request
    registrar.answer(first, 401, "r", contact="-", headers=challenge(digest, world.now))
    second = registrar.request
    assert verdict(digest, second, world.now) is Verdict.OK
    assert (second.call_id, second.from_, second.cseq.number) == (first.call_id, first.from_, 2)
    accept(registrar)
    assert (alice.told, len(registrar.heard)) == (["Registered"], 2)


def test_of_several_challenges_the_strongest_is_answered() -> None:
    world, _, registrar, _ = registering(account=ACCOUNT)
    digest = server("MD5", "SHA-256", "SHA-512-256")
    registrar.answer(registrar.request, 401, "r", contact="-", headers=challenge(digest, world.now))
    (credentials,) = registrar.request.headers.typed("Authorization")
    assert credentials.algorithm == "SHA-512-256"


def test_a_wrong_password_is_tried_once() -> None:
    """§22.1: "MUST NOT re-attempt the request with the same credentials"."""
    world, alice, registrar, _ = registering(account=DigestAccount(USERNAME, "guess"))
    digest = server()
    for _ in range(2):
        registrar.answer(registrar.request, 401, "r", contact="-", headers=challenge(digest, world.now))
    world.settle()
    assert (alice.told, len(registrar.heard)) == (["RegistrationFailed"], 2)


def test_a_stale_nonce_is_renewed() -> None:
    world, alice, registrar, _ = registering(account=ACCOUNT)
    digest = DigestServer(REALM, b"secret of the server", ("MD5",), nonce_lifetime=1.0)
    registrar.answer(registrar.request, 401, "r", contact="-", headers=challenge(digest, world.now))
    world.run(2)
    assert verdict(digest, registrar.request, world.now) is Verdict.STALE
    fresh = challenge(digest, world.now, stale=True)
    registrar.answer(registrar.request, 401, "r", contact="-", headers=fresh)
    assert verdict(digest, registrar.request, world.now) is Verdict.OK
    accept(registrar)
    assert (alice.told, registrar.request.cseq.number) == (["Registered"], 3)


def test_a_registrar_that_calls_every_nonce_stale_is_not_obeyed_for_ever() -> None:
    world, alice, registrar, _ = registering(account=ACCOUNT)
    digest = server()
    for number in range(10):
        fresh = challenge(digest, world.now, stale=number > 0)
        registrar.answer(registrar.request, 401, "r", contact="-", headers=fresh)
    world.settle()
    assert (alice.told, len(registrar.heard)) == (["RegistrationFailed"], 5)


def test_the_refresh_begins_with_the_credentials_that_were_taken_and_goes_on_with_the_cseq() -> None:
    """§22.3: "A UAC MAY ... preemptively" give credentials."""
    world, _, registrar, registration = registering(account=ACCOUNT)
    digest = server()
    registrar.answer(registrar.request, 401, "r", contact="-", headers=challenge(digest, world.now))
    assert verdict(digest, registrar.request, world.now) is Verdict.OK
    accept(registrar)
    for number in (3, 4):
        registration.refresh(world.now)
        refresh = registrar.request
        (credentials,) = refresh.headers.typed("Authorization")
        assert (refresh.cseq.number, credentials.nc) == (number, number - 1)
        assert verdict(digest, refresh, world.now) is Verdict.OK
        accept(registrar)


def test_credentials_that_have_become_stale_are_renewed_at_the_next_refresh() -> None:
    world, alice, registrar, registration = registering(account=ACCOUNT)
    digest = DigestServer(REALM, b"secret of the server", ("MD5",), nonce_lifetime=1.0)
    registrar.answer(registrar.request, 401, "r", contact="-", headers=challenge(digest, world.now))
    accept(registrar)
    world.run(60)
    registration.refresh(world.now)
    assert verdict(digest, registrar.request, world.now) is Verdict.STALE
    fresh = challenge(digest, world.now)  # without stale: it may know its own old nonces no longer
    registrar.answer(registrar.request, 401, "r", contact="-", headers=fresh)
    assert verdict(digest, registrar.request, world.now) is Verdict.OK
    accept(registrar)
    assert alice.told == ["Registered", "Registered"]


UNKNOWN = 'Digest realm="r", nonce="n", algorithm=ROT13'


@pytest.mark.parametrize("field", ['Digest realm="r"', "Basic", UNKNOWN, "?"])
def test_a_challenge_that_nobody_can_answer_is_a_refusal(field: str) -> None:
    world, alice, registrar, _ = registering(account=ACCOUNT)
    registrar.answer(registrar.request, 401, "r", contact="-", headers=[("WWW-Authenticate", field)])
    world.run(1)
    assert (alice.told, len(registrar.heard)) == (["RegistrationFailed"], 1)


def test_its_repr_tells_who_and_where() -> None:
    assert repr(registering()[3]) == "<RegistrationUsage <sip:alice@example.com> at sip:192.0.2.9>"
