"""The states of event packages, by the examples of their RFCs and by deployed servers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.message import Request
from sipstack.usage.packages.conference import CONFERENCE, ConferenceUser
from sipstack.usage.packages.dialog import DIALOG, DialogInfo, DialogParty, DialogState
from sipstack.usage.packages.known import KNOWN, package_named
from sipstack.usage.packages.message_summary import MESSAGE_SUMMARY, MessageCount, MessageSummary
from sipstack.usage.packages.package import EventPackage
from sipstack.usage.packages.presence import PRESENCE, Presence, PresenceTuple
from sipstack.usage.packages.reg import REG, RegisteredAddress, RegisteredContact, RegistrationInfo

# --- message-summary ---


def test_the_summary_of_rfc_3842() -> None:
    body = (
        b"Messages-Waiting: yes\r\nMessage-Account: sip:alice@vmail.example.com\r\n"
        b"Voice-Message: 4/8 (1/2)\r\nVideo-Message: 0/2 (0/0)\r\n\r\n"
        b"To: <alice@atlanta.example.com>\r\nSubject: carpool tomorrow?\r\n"
    )
    summary = MESSAGE_SUMMARY.read(body)
    assert (summary.waiting, summary.account) == (True, "sip:alice@vmail.example.com")
    assert summary.voice == MessageCount(4, 8, 1, 2)
    assert dict(summary.messages)["video-message"] == MessageCount(0, 2)


@pytest.mark.parametrize(
    "body",
    [
        b"Messages-Waiting: no\nVoice-Message: 0/0\n",
        b"messages-waiting:no\r\nvoice-message:  0 / 0 ( 0 / 0 )",
        b"\r\nMessages-Waiting: no\r\nMoon-Phase: full\r\nVoice-Message: many\r\n",
    ],
)
def test_summaries_as_they_are_written(body: bytes) -> None:
    summary = MESSAGE_SUMMARY.read(body)
    assert (summary.waiting, summary.voice) == (False, MessageCount())


@pytest.mark.parametrize(
    "body", [b"", b"Voice-Message: 1/0\r\n", b"Messages-Waiting: perhaps", b"moon", b"a" * 20_000]
)
def test_no_summary(body: bytes) -> None:
    with pytest.raises(ParseError):
        MESSAGE_SUMMARY.read(body)


def test_a_summary_is_written_as_it_is_read() -> None:
    summary = MessageSummary(True, "sip:a@b", {"voice-message": MessageCount(1, 2, 0, 1)})
    assert MESSAGE_SUMMARY.write(summary) == (
        b"Messages-Waiting: yes\r\nMessage-Account: sip:a@b\r\nVoice-Message: 1/2 (0/1)\r\n"
    )
    with pytest.raises(LocalProtocolError):
        MESSAGE_SUMMARY.write(MessageSummary(True, "sip:a@b\r\nVoice-Message: 9/9"))


# --- dialog ---

RINGING = b"""<?xml version="1.0"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="1" state="full"
    entity="sip:alice@example.com">
  <dialog id="as7d900as8" call-id="a84b4c76e66710" local-tag="1928301774" remote-tag="456887766"
      direction="recipient">
    <state event="replaced" code="180">early</state>
    <duration>145</duration>
    <local><identity display="Alice">sip:alice@example.com</identity>
      <target uri="sip:alice@pc33.example.com"><param pname="+sip.rendering" pval="yes"/></target></local>
    <remote><identity>sip:bob@example.org</identity></remote>
  </dialog>
</dialog-info>"""


def test_the_dialogs_of_rfc_4235() -> None:
    info = DIALOG.read(RINGING)
    assert info == DialogInfo(
        "sip:alice@example.com",
        (
            DialogState(
                "as7d900as8",
                "early",
                "recipient",
                "a84b4c76e66710",
                "1928301774",
                "456887766",
                DialogParty("sip:alice@example.com", "Alice", "sip:alice@pc33.example.com"),
                DialogParty("sip:bob@example.org"),
                "replaced",
                180,
                145,
            ),
        ),
        1,
    )
    assert (info.busy, info.ringing) == (True, True)
    assert DIALOG.read(DIALOG.write(info)) == info


def test_what_asterisk_says_of_a_hint() -> None:
    body = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info"'
        b' version="0" state="full" entity="sip:600@127.0.0.1"><dialog id="600"><state>terminated</state>'
        b"</dialog></dialog-info>"
    )
    info = DIALOG.read(body)
    assert (info.busy, info.dialogs[0].id) == (False, "600")


def part(version: int, *dialogs: tuple[str, str], whole: bool = False) -> DialogInfo:
    return DialogInfo("sip:a@b", tuple(DialogState(*each) for each in dialogs), version, whole)


def test_changes_are_put_together() -> None:
    """RFC 4235 §4.3"""
    merge = DIALOG.merge
    assert merge is not None
    known = merge(None, part(0, ("1", "early"), whole=True))
    known = merge(known, part(1, ("2", "trying")))
    known = merge(known, part(2, ("1", "terminated")))
    assert [(each.id, each.state) for each in known.dialogs] == [("1", "terminated"), ("2", "trying")]
    known = merge(known, part(3, ("2", "confirmed")))
    assert [(each.id, each.state) for each in known.dialogs] == [("2", "confirmed")]
    assert merge(known, part(3, ("9", "early"))) is known
    assert merge(known, part(5, ("9", "early"))) is None  # one has been missed
    assert merge(None, part(1, ("9", "early"))) is None
    assert merge(known, part(0, whole=True)) == part(0, whole=True)


@pytest.mark.parametrize(
    "body",
    [
        b'<dialog-info version="x"/>',
        b"<dialog-info/>",
        b'<dialog-info version="1"><dialog id="1"/></dialog-info>',
        b'<dialog-info version="1"><dialog id="1"><state>moon</state></dialog></dialog-info>',
        b'<dialog-info version="1">' + b"<dialog><state>early</state></dialog>" * 1001 + b"</dialog-info>",
    ],
)
def test_no_dialogs(body: bytes) -> None:
    with pytest.raises(ParseError):
        DIALOG.read(body)


# --- presence ---

PIDF = b"""<?xml version="1.0" encoding="UTF-8"?>
<impp:presence xmlns:impp="urn:ietf:params:xml:ns:pidf" entity="pres:someone@example.com">
  <impp:tuple id="sg89ae">
    <impp:status><impp:basic>open</impp:basic>
      <im:im xmlns:im="urn:ietf:params:xml:ns:pidf:im">busy</im:im></impp:status>
    <impp:contact priority="0.8">tel:+09012345678</impp:contact>
    <impp:note xml:lang="en">Don't Disturb Please!</impp:note>
    <impp:timestamp>2001-10-27T16:49:29Z</impp:timestamp>
  </impp:tuple>
  <impp:tuple id="eg92n8"><impp:status><impp:basic>closed</impp:basic></impp:status></impp:tuple>
  <impp:note>I'll be in Tokyo next week</impp:note>
</impp:presence>"""


def test_the_presence_of_rfc_3863() -> None:
    presence = PRESENCE.read(PIDF)
    first = PresenceTuple(
        "sg89ae", True, "tel:+09012345678", 0.8, "Don't Disturb Please!", "2001-10-27T16:49:29Z"
    )
    assert presence.tuples == (first, PresenceTuple("eg92n8", False))
    assert (presence.entity, presence.note) == ("pres:someone@example.com", "I'll be in Tokyo next week")
    assert presence.open is True
    assert PRESENCE.read(PRESENCE.write(presence)) == presence


def test_activities_of_rfc_4480() -> None:
    busy = Presence("sip:a@b", (PresenceTuple("t", False),), "On the phone", ("on-the-phone", "busy"))
    assert PRESENCE.read(PRESENCE.write(busy)) == busy
    with pytest.raises(LocalProtocolError):
        PRESENCE.write(Presence("sip:a@b", activities=("a><b",)))


def test_what_asterisk_says_of_a_lamp() -> None:
    body = (
        b'<?xml version="1.0"?><presence entity="sip:lamp@h" xmlns="urn:ietf:params:xml:ns:pidf"'
        b' xmlns:pp="urn:ietf:params:xml:ns:pidf:person"'
        b' xmlns:ep="urn:ietf:params:xml:ns:pidf:rpid:rpid-person">'
        b'<note>On the phone</note><tuple id="lamp"><status><basic>open</basic></status>'
        b'<contact priority="1">sip:lamp@h</contact></tuple>'
        b"<pp:person><status><ep:activities><ep:on-the-phone/></ep:activities></status></pp:person></presence>"
    )
    presence = PRESENCE.read(body)
    assert (presence.note, presence.activities) == ("On the phone", ("on-the-phone",))


def test_presence_that_says_nothing() -> None:
    assert PRESENCE.read(b"<presence/>").open is None


def test_no_presence() -> None:
    with pytest.raises(ParseError):
        PRESENCE.read(b"<presence>" + b"<tuple/>" * 501 + b"</presence>")


# --- reg and conference ---


def test_the_registrations_of_rfc_3680() -> None:
    body = b"""<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="0" state="full">
      <registration aor="sip:user@example.com" id="as9" state="active">
        <contact id="76" state="active" event="registered" expires="7322" q="0.8">
          <uri>sip:user@pc887.example.com</uri></contact>
        <contact id="77" state="terminated" event="expired"><uri>sip:user@university.edu</uri></contact>
      </registration></reginfo>"""
    info = REG.read(body)
    assert info == RegistrationInfo(
        (
            RegisteredAddress(
                "as9",
                "sip:user@example.com",
                "active",
                (
                    RegisteredContact("76", "sip:user@pc887.example.com", "active", "registered", 7322),
                    RegisteredContact("77", "sip:user@university.edu", "terminated", "expired"),
                ),
            ),
        )
    )
    assert REG.read(REG.write(info)) == info
    assert REG.merge is not None
    gone = RegistrationInfo((RegisteredAddress("as9", "sip:user@example.com", "terminated"),), 1, whole=False)
    assert [each.state for each in REG.merge(info, gone).registrations] == ["terminated"]


@pytest.mark.parametrize("body", [b"<reginfo/>", b'<reginfo version="-1"/>', b"<moon/>"])
def test_no_registrations(body: bytes) -> None:
    with pytest.raises(ParseError):
        REG.read(body)


def test_the_conference_of_rfc_4575() -> None:
    body = b"""<conference-info xmlns="urn:ietf:params:xml:ns:conference-info"
      entity="sips:conf233@example.com" state="full" version="1">
      <conference-description><subject>Agenda: This month's goals</subject></conference-description>
      <conference-state><user-count>33</user-count><active>true</active><locked>0</locked></conference-state>
      <users><user entity="sip:bob@example.com" state="full"><display-text>Bob Hoskins</display-text>
        <roles><entry>host</entry></roles>
        <endpoint entity="sip:bob@pc33.example.com"><status>on-hold</status></endpoint></user></users>
      </conference-info>"""
    known = CONFERENCE.read(body)
    bob = ConferenceUser("sip:bob@example.com", "Bob Hoskins", ("host",), "on-hold")
    assert (known.users, known.subject, known.count) == ((bob,), "Agenda: This month's goals", 33)
    assert (known.active, known.locked) == (True, False)
    left = CONFERENCE.read(
        b'<conference-info entity="sips:conf233@example.com" state="partial" version="2"><users>'
        b'<user entity="sip:bob@example.com" state="deleted"/><user entity="sip:carol@example.com"/></users>'
        b"</conference-info>"
    )
    assert CONFERENCE.merge is not None
    after = CONFERENCE.merge(known, left)
    assert ([each.entity for each in after.users], after.count) == (["sip:carol@example.com"], 33)
    with pytest.raises(LocalProtocolError):
        CONFERENCE.write(known)


# --- all ---


@pytest.mark.parametrize("package", KNOWN.values(), ids=lambda package: package.name)
@given(body=st.binary(max_size=200))
def test_any_octets_are_a_state_or_a_parse_error(package: EventPackage, body: bytes) -> None:
    try:
        assert package.read(body) is not None
    except ParseError:
        return


def notify(content_type: str, body: bytes) -> Request:
    return Request("NOTIFY", "sip:a@b", [("Content-Type", content_type)], body)


def test_the_value_of_a_message() -> None:
    multipart = (
        b"--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b\r\n"
        b"Content-Type: application/simple-message-summary\r\n\r\nMessages-Waiting: no\r\n\r\n--b--\r\n"
    )
    value = MESSAGE_SUMMARY.value_of(notify('multipart/mixed;boundary="b"', multipart))
    assert value == MessageSummary(False)
    assert MESSAGE_SUMMARY.value_of(notify("text/plain", b"")) is None
    with pytest.raises(ParseError, match="a body of text/plain, not application/simple-message-summary"):
        MESSAGE_SUMMARY.value_of(notify("text/plain", b"Messages-Waiting: no"))


def test_a_package_that_nobody_knows_is_octets() -> None:
    moon = package_named("moon")
    assert (moon.value_of(notify("x/y", b"\x00")), moon.write(b"\x01")) == (b"\x00", b"\x01")
