"""What is announced is what is answered (RFC 3261 §8.2): every refusal follows from the registrations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.core.registry import KNOWN_METHODS, Method, Package, Registry
from sipstack.dialog.usages import INVITE_USAGE
from sipstack.errors import ParseError
from sipstack.message import Request
from sipstack.testing.agent import OFFER, CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.transaction.layer import AnyServer
from sipstack.usage.invite.extension import CallExtension, Extension, NewCall


def registry() -> Registry:
    return Registry(lambda: None)


def request(method: str, *headers: tuple[str, str], uri: str = "sip:bob@example.com") -> Request:
    return Request(method, uri, headers)


def begin(call: NewCall) -> CallExtension:
    return CallExtension()


def field(registered: Registry, name: str) -> str:
    return str(dict(registered.fields).get(name, ""))


# --- every refusal ---


def test_nothing_registered_is_nothing_answered_and_nothing_announced() -> None:
    empty = registry()
    assert (empty.fields, empty.requirements, empty.accept) == ((), (), "")
    assert [empty.refusal(request(method)) for method in ("INVITE", "MOO")] == [(405, ()), (501, ())]


def test_the_refusals_come_in_the_order_of_the_rfc() -> None:
    """Method, URI, option tags, event package (§8.2.1, §8.2.2.1, §8.2.2.3, RFC 6665 §4.2.1)."""
    registered = registry()
    wrong = request("SUBSCRIBE", ("Require", "gin"), ("Event", "moon"), uri="tel:+1")
    assert registered.refusal(wrong) == (405, ())
    registered.add_method(Method("SUBSCRIBE", by_event=True))
    registered.add_package(Package("sun", None))
    assert registered.refusal(wrong) == (416, ())
    wrong = request("SUBSCRIBE", ("Require", "gin"), ("Event", "moon"))
    assert registered.refusal(wrong) == (420, (("Unsupported", "gin"),))
    registered.add_extension(Extension("gin", begin))
    assert registered.refusal(wrong) == (489, (("Allow-Events", "sun"),))
    registered.add_package(Package("moon", None))
    assert registered.refusal(wrong) is None


def test_405_and_501_tell_what_is_allowed() -> None:
    registered = registry()
    for name in ("OPTIONS", "MOO", "ACK"):
        registered.add_method(Method(name))
    allow = (("Allow", "ACK, MOO, OPTIONS"),)
    asked = ("INFO", "INVITE", "BARK", "moo", "MOO", "OPTIONS")
    outside = [registered.refusal(request(method)) for method in asked]
    assert outside == [(405, allow), (405, allow), (501, allow), (501, allow), None, None]
    assert [registered.refusal_in_dialog(request(method)) for method in asked] == outside


def test_420_names_each_tag_that_is_not_supported() -> None:
    registered = registry()
    registered.add_method(Method("MOO"))
    registered.add_extension(Extension("gin", begin))
    asked = request("MOO", ("Require", "path, gin, 100rel"), ("Require", "gruu"))
    refused = 420, (("Unsupported", "path, 100rel, gruu"),)
    assert (registered.refusal(asked), registered.refusal_in_dialog(asked)) == (refused, refused)


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ([], (421, (("Require", "gin, rum"),))),
        ([("Supported", "gin")], (421, (("Require", "rum"),))),
        ([("Supported", "gin, rum")], None),
        ([("Require", "gin"), ("Supported", "rum")], None),
        ([("Require", "gin, rum, tea")], None),
    ],
)
def test_421_names_each_tag_that_we_require(
    headers: list[tuple[str, str]], refused: tuple[int, object] | None
) -> None:
    registered = registry()
    registered.add_method(Method("INVITE", of_invite=True))
    registered.add_method(Method("MOO"))
    for name in ("gin", "rum"):
        registered.add_extension(Extension(name, begin, required=True))
    registered.add_extension(Extension("tea", begin))
    assert registered.refusal(request("INVITE", *headers)) == refused
    assert registered.refusal(request("MOO", *headers)) is None
    assert registered.requirements == (("Require", "gin, rum"),)


@pytest.mark.parametrize("event", [None, "moon", "SUN", "sun.winfo"])
def test_489_to_a_package_that_is_not_there(event: str | None) -> None:
    """RFC 6665 §8.2.1: without Event there is no package; names have case (§8.2.1)."""
    registered = registry()
    registered.add_method(Method("NOTIFY", by_event=True))
    registered.add_package(Package("sun", None))
    asked = request("NOTIFY", *([("Event", event)] if event else []))
    assert registered.refusal(asked) == (489, (("Allow-Events", "sun"),))


def test_without_any_package_489_has_no_list() -> None:
    registered = registry()
    registered.add_method(Method("NOTIFY", by_event=True))
    assert registered.refusal(request("NOTIFY", ("Event", "sun"))) == (489, ())


def test_an_event_that_cannot_be_read() -> None:
    registered = registry()
    registered.add_method(Method("NOTIFY", by_event=True))
    with pytest.raises(ParseError):
        registered.refusal(request("NOTIFY", ("Event", "@")))


def test_415_inside_of_a_dialog() -> None:
    registered = registry()
    registered.add_method(Method("INFO", of_invite=True, bodies=("text/plain", "text/html")))
    registered.add_method(Method("MOO", bodies=("text/plain",)))
    asked = Request("INFO", "sip:bob@example.com", [("Content-Type", "image/png")], b"octets")
    assert registered.refusal_in_dialog(asked) == (415, (("Accept", "text/plain, text/html"),))
    assert registered.accept == "text/plain, text/html"


# --- owners ---


def test_the_owner_follows_from_the_registration() -> None:
    registered = registry()
    registered.add_method(Method("BYE", of_invite=True))
    registered.add_method(Method("NOTIFY", by_event=True))
    registered.add_method(Method("MOO"))
    assert [
        registered.owner_key(request("BYE")),
        registered.owner_key(request("NOTIFY", ("Event", "sun;id=7"))),
        registered.owner_key(request("NOTIFY", ("Event", "sun"))),
        registered.owner_key(request("NOTIFY")),
        registered.owner_key(request("MOO")),
        registered.owner_key(request("BARK")),
    ] == [INVITE_USAGE, ("NOTIFY", "sun", "7"), ("NOTIFY", "sun", None), None, None, None]


# --- withdrawal ---


def test_what_is_withdrawn_is_not_announced_any_more() -> None:
    changes: list[str] = []
    registered = Registry(lambda: changes.append(field(registered, "Allow")))
    withdrawals = [
        registered.add_method(Method("MOO")),
        registered.add_extension(Extension("gin", begin, ("BARK", "MEOW"), required=True)),
        registered.add_package(Package("sun", None)),
    ]
    assert registered.fields == (
        ("Allow", "BARK, MEOW, MOO"),
        ("Supported", "gin"),
        ("Allow-Events", "sun"),
    )
    assert len(registered.begin_call(NewCall(is_caller=True))) == 1
    for withdraw in withdrawals:
        withdraw()
        withdraw()  # once is enough
    assert [
        *registered.fields,
        *registered.requirements,
        *registered.begin_call(NewCall(is_caller=True)),
    ] == []
    assert changes == [
        "MOO",
        "MOO",
        "BARK, MOO",
        "BARK, MEOW, MOO",
        "BARK, MEOW, MOO",
        "BARK, MEOW",
        "BARK, MEOW",
        "MEOW",
        "",
        "",
    ]


def test_the_latest_of_one_name_counts_until_it_is_withdrawn() -> None:
    registered = registry()
    first, second, third = Method("MOO"), Method("MOO"), Method("MOO")
    _, forget_second, forget_third = map(registered.add_method, (first, second, third))
    assert registered.methods["MOO"] is third
    forget_second()
    assert registered.methods["MOO"] is third
    forget_third()
    assert registered.methods["MOO"] is first


def test_the_same_value_registered_twice_is_withdrawn_twice() -> None:
    registered, moo = registry(), Method("MOO")
    one, other = registered.add_method(moo), registered.add_method(moo)
    one()
    one()
    assert field(registered, "Allow") == "MOO"
    other()
    assert field(registered, "Allow") == ""


def test_extensions_begin_in_the_order_in_which_they_were_registered() -> None:
    registered, begun = registry(), []

    def of(name: str) -> Extension:
        def begin(call: NewCall) -> CallExtension:
            begun.append((name, call.is_caller))
            return CallExtension()

        return Extension(name, begin)

    for name in ("rum", "gin"):
        registered.add_extension(of(name))
    registered.begin_call(NewCall(is_caller=False))
    assert begun == [("rum", False), ("gin", False)]


# --- whatever is registered ---

NAMES = (*sorted(KNOWN_METHODS), "MOO", "BARK", "moo")
steps = st.lists(st.tuples(st.sampled_from(NAMES), st.none() | st.integers(0, 9)), max_size=12)


@given(steps)
def test_refused_as_a_method_is_what_is_absent_from_allow(steps: list[tuple[str, int | None]]) -> None:
    """For every method: 405 or 501 exactly where Allow lacks it, in any order of coming and going."""
    registered, withdrawals, standing = registry(), [], []
    for name, gone in steps:
        withdrawals.append(registered.add_method(Method(name)))
        standing.append(name)
        if gone is not None and gone < len(withdrawals):
            withdrawals[gone]()
            standing[gone] = ""
    allowed = set(filter(None, field(registered, "Allow").split(", ")))
    served = {name for name in NAMES if registered.refusal(request(name)) is None}
    assert allowed == served == set(filter(None, standing))


ALWAYS = {"ACK", "BYE", "CANCEL", "INVITE", "OPTIONS"}
OTHERS = sorted({*NAMES} - ALWAYS)


@given(st.sets(st.sampled_from(OTHERS)), st.booleans())
def test_the_same_on_the_wire_outside_of_a_dialog_and_inside(names: set[str], withdrawn: bool) -> None:
    world = World()
    bob = CoreAgent(world, "bob", ("192.0.2.2", 5060))
    carol = ScriptedPeer(world, "carol", ("192.0.2.3", 5060))
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.accept()
    answer = carol.response

    def serve(request: Request, transaction: AnyServer, now: float) -> None:
        bob.core.respond(transaction, request.response(299), now)

    for withdraw in [bob.core.registry.add_method(Method(name, serve)) for name in names]:
        if withdrawn:
            withdraw()
    carol.send(bob.address, carol.write("OPTIONS", bob.uri, cseq=2))
    allow = set(carol.response.allow)
    assert allow == ALWAYS | (set() if withdrawn else names)
    for number, name in enumerate(OTHERS, 3):
        carol.send(bob.address, carol.write(name, bob.uri, cseq=number))
        carol.send(bob.address, carol.inside(answer, name, number))
        refused = 405 if name in KNOWN_METHODS else 501
        assert [(each.status, each.allow) for each in carol.responses[-2:]] == (
            [(299, ())] * 2 if name in allow else [(refused, tuple(sorted(allow)))] * 2
        )


def test_a_method_of_packages_that_serves_nothing_leaves_the_one_that_does() -> None:
    """Whichever is registered first: usages of several packages share the method."""
    registry = Registry(lambda: None)
    served = Method("NOTIFY", lambda request, transaction, now: None, by_event=True)
    withdraw_served = registry.add_method(served)
    withdraw = registry.add_method(Method("NOTIFY", by_event=True))
    assert registry.methods["NOTIFY"] is served
    withdraw_served()
    assert registry.methods["NOTIFY"].serve is None
    registry.add_method(served)
    assert registry.methods["NOTIFY"] is served
    withdraw()
    assert registry.methods["NOTIFY"] is served
