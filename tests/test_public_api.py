"""The public names, pinned: a change here is a change for our users, and belongs in the changelog."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import sipstack
from sipstack.testing.world import World

# What ``from sipstack import ...`` promises, sorted. Edit it on purpose, never to make the test pass.
PUBLIC = [
    "Accept",
    "Account",
    "Audio",
    "AudioSession",
    "AudioSink",
    "AudioSource",
    "Authentication",
    "AuthenticationFailed",
    "Backoff",
    "Call",
    "CallData",
    "CallEnded",
    "CallExtension",
    "CallRecords",
    "CallRejected",
    "Capture",
    "ConferenceInfo",
    "ConferenceUser",
    "Conversation",
    "CredentialsQuestion",
    "DialogInfo",
    "DialogParty",
    "DialogState",
    "EventPackage",
    "Expiry",
    "Extension",
    "FlowClosed",
    "Frame",
    "Ha1",
    "Ice",
    "IceServer",
    "IncomingInfo",
    "IncomingRequest",
    "Invitation",
    "InvitationReceived",
    "KeptCall",
    "Limits",
    "LocalProtocolError",
    "MediaError",
    "MediaPort",
    "MediaStatistics",
    "MemoryStore",
    "MessageCount",
    "MessageSummary",
    "Mixer",
    "NegotiationError",
    "Notification",
    "Notifier",
    "OutgoingInvite",
    "ParseError",
    "Presence",
    "PresenceTuple",
    "Publication",
    "PublicationRejected",
    "Reason",
    "Redirect",
    "RedisStore",
    "Referral",
    "RegisteredAddress",
    "RegisteredContact",
    "Registration",
    "RegistrationInfo",
    "RegistrationRejected",
    "RegistrationState",
    "Reject",
    "RemoteProtocolError",
    "Request",
    "RequestFailed",
    "ResolutionError",
    "Response",
    "Sealed",
    "SessionId",
    "SessionStore",
    "SessionTimer",
    "SharedPort",
    "SipError",
    "SoundCard",
    "SqliteStore",
    "StoreError",
    "Subscription",
    "SubscriptionRejected",
    "TextMessage",
    "Timers",
    "Tls",
    "TracedMessage",
    "TracedPacket",
    "TransactionTimeout",
    "Transfer",
    "TransferFailed",
    "TransportError",
    "UserAgent",
    "Watcher",
    "WorkerEnded",
    "Workers",
    "bridge",
    "melody",
    "open_source",
    "reasons",
    "session_description",
    "traced_rtp",
]


def test_the_public_names_are_these() -> None:
    assert sorted(sipstack.__all__) == PUBLIC


def test_every_public_name_is_there_and_says_what_it_is() -> None:
    undocumented = [name for name in PUBLIC if not (getattr(sipstack, name).__doc__ or "").strip()]
    assert undocumented == []


def test_loading_the_package_loads_no_public_name_before_it_is_asked_for() -> None:
    program = (
        "import sys; from sipstack import message, sdp; before = 'asyncio' in sys.modules\n"
        "import sipstack; sipstack.Call; print(before, 'asyncio' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"


def test_a_name_that_is_not_public_is_no_attribute() -> None:
    for name in ("Nonsense", "__wrapped__", "nonsense"):
        with pytest.raises(AttributeError, match=f"module 'sipstack' has no attribute '{name}'"):
            getattr(sipstack, name)


def test_the_names_are_kept_in_one_place() -> None:
    """Type checkers and the running program read the same imports of one file."""
    tree = ast.parse(Path(sipstack.__file__).with_name("ua").joinpath("public.py").read_text("utf-8"))
    names = [alias.asname for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(filter(None, names)) == PUBLIC


# The members without an underscore of what applications hold in their hands.
MEMBERS = {
    "Account": "aor contact_host credentials credentials_to credentials_to_callers digest display_name from_"
    " instance password proxy registrar registrar_uri route uri username weakest_algorithm",
    "Call": "asserted audio codec data dtmf duration ended hang_up held hold id info info_packages local play"
    " playing recording remote remote_held response resume resumed scope security session_id set_aside"
    " statistics transfer transferring update user",
    "IncomingRequest": "agent answered body call_id diversion expired from_ history identity method request"
    " respond session_id text to user verified",
    "Invitation": "accept agent answered answered_elsewhere audio call_id cancel_reason cancelled codec data"
    " diversion dtmf from_ held history hold identity offer play playing progress recording"
    " redirect reject replaces request resume security session_id statistics to user verified",
    "Notifier": "notify package state update watchers",
    "OutgoingInvite": "answered audio cancel codec data dtmf held hold id play playing provisionals recording"
    " resume security statistics",
    "Publication": "active error expires_at lost package target update",
    "Registration": "active associated_uris error expires_at flows gruu path retry_at service_route state"
    " states temporary_gruu",
    "Subscription": "active error expires_at latest package refresh retry_at state target",
    "UserAgent": "accounts aor call calls contact conversation conversations drain hang_up invite listening"
    " message notifications notifying options poll publish refer referring register request resume"
    " running serve serving serving_referrals sessions subscribe unregister_all",
    "Watcher": "approve end expires_at from_ notify request resource state",
}


@pytest.mark.virtual_time
async def test_objects_show_what_applications_use_and_nothing_else() -> None:
    world, seen = World(), {}

    async def accept(invitation: sipstack.Invitation) -> None:
        seen["Invitation"] = members(invitation)
        async with invitation.accept() as call:
            await call.ended()

    async def take(request: sipstack.IncomingRequest) -> None:
        seen["IncomingRequest"] = members(request)
        await request.respond(200)

    async def tag(request: sipstack.IncomingRequest) -> None:
        await request.respond(200, headers={"SIP-ETag": "1"})

    async with world.user_agent("alice", registrar="sip:bob.test") as alice, world.user_agent("bob") as bob:
        async with bob.serving(accept, requests={"MESSAGE": take, "REGISTER": take}):
            await alice.message("sip:bob.test", "hello")
            async with alice.invite("sip:bob.test") as outgoing:
                seen["OutgoingInvite"] = members(outgoing)
                seen["Call"] = members(await outgoing.answered())
            async with alice.register() as registration:
                seen["Registration"] = members(registration)
        async with bob.notifying("moon", b"full") as notifier:
            async with alice.subscribe("sip:bob.test", "moon") as subscription:
                seen["Notifier"], seen["Subscription"] = members(notifier), members(subscription)
                seen["Watcher"] = members(notifier.watchers[0])
        async with bob.serving(requests={"PUBLISH": tag}):
            async with alice.publish("sip:bob.test", "moon", b"full") as publication:
                seen["Publication"] = members(publication)
        seen["UserAgent"], seen["Account"] = members(alice), members(alice.accounts[0])
    assert {name: " ".join(seen[name]) for name in sorted(seen)} == MEMBERS


def members(thing: object) -> list[str]:
    return sorted(name for name in dir(thing) if not name.startswith("_"))


def test_help_shows_the_attributes_with_what_they_mean() -> None:
    """``help(sipstack.Call)`` is the reference: what is only set in ``__init__`` is not in it."""
    shown = {
        name: sorted(
            member
            for member, value in inspect.getmembers(getattr(sipstack, name))
            if not member.startswith("_") and inspect.getdoc(value)
        )
        for name in MEMBERS.keys() - {"Account"}
    }
    account = MEMBERS["Account"]  # its arguments, which its docstring explains, and what follows from them
    assert {name: " ".join(shown[name]) for name in sorted(shown)} | {"Account": account} == MEMBERS
