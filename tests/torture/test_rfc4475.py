"""The torture messages of RFC 4475: accepted or refused as it says, and read with the right values."""

from __future__ import annotations

import pytest

from sipstack.errors import ParseError
from sipstack.message import (
    MalformedMessage,
    MediaType,
    NameAddr,
    OtherUri,
    Parameters,
    Request,
    Response,
    SipUri,
    Via,
    parse,
    parse_uri,
    validate,
)
from sipstack.message.mime import parse_multipart
from tests.shared import torture_message, torture_parameters
from tests.torture.scoring import check

ROWS = torture_parameters("rfc4475")
ACCEPTED = torture_parameters("rfc4475", verdict="accept")


def octets(name: str) -> bytes:
    return torture_message("rfc4475", name)


def request(name: str) -> Request:
    message = parse(octets(name))
    assert isinstance(message, Request)
    validate(message)
    return message


def response(name: str) -> Response:
    message = parse(octets(name))
    assert isinstance(message, Response)
    validate(message)
    return message


def refusal(data: bytes) -> MalformedMessage | None:
    """Why ``parse`` or ``validate`` refuse it."""
    try:
        validate(parse(data))
    except MalformedMessage as error:
        return error
    return None


def parameters(uri: object) -> list[tuple[str, str | None]]:
    assert isinstance(uri, SipUri)
    return list(uri.parameters)


@pytest.mark.parametrize("row", ROWS)
def test_verdict(row: dict[str, str]) -> None:
    data = octets(row["name"])
    if row["verdict"] == "accept":
        check(data)
    elif row["verdict"] == "reject" and row["liberal"] == "no":
        with pytest.raises(ParseError):
            check(data)


@pytest.mark.parametrize("row", ROWS)
def test_a_refused_request_can_be_answered_with_its_status(row: dict[str, str]) -> None:
    error = refusal(octets(row["name"]))
    if error is not None and not row["start"].isdigit():
        assert str(error.status) in row["code"].split("|")
        assert error.request is not None
        answer = parse(bytes(error.request.response(error.status, to_tag="1")))
        assert isinstance(answer, Response)
        assert answer.via == error.request.via


@pytest.mark.parametrize("row", ACCEPTED)
def test_what_is_accepted_is_written_as_it_was_read(row: dict[str, str]) -> None:
    message = parse(octets(row["name"]))
    again = parse(bytes(message))
    assert again == message
    assert bytes(again) == bytes(message)
    assert again.body == message.body


def test_wsinv_white_space_everywhere() -> None:
    invite = request("wsinv")
    assert invite.method == "INVITE"
    assert str(invite.uri) == "sip:vivekg@chair-dnrc.example.com;unknownparam"
    assert parameters(invite.uri) == [("unknownparam", None)]
    assert (invite.to.display_name, str(invite.to.uri), invite.to.tag) == (
        "",
        "sip:vivekg@chair-dnrc.example.com",
        "1918181833n",
    )
    assert invite.from_.display_name == 'J Rosenberg \\"'
    assert (str(invite.from_.uri), invite.from_.tag) == ("sip:jdrosen@example.com", "98asjd8")
    assert invite.max_forwards == 68
    assert invite.call_id == "wsinv.ndaksdj@192.0.2.1"
    assert (invite.cseq.number, invite.cseq.method) == (9, "INVITE")
    assert [(via.transport, via.sent_by, via.branch) for via in invite.vias] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    assert invite.headers.get("Subject") == ""
    assert invite.headers.get("NewFangledHeader") == "newfangled value continued newfangled value"
    assert invite.headers.get("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
    assert invite.content_type == MediaType("application", "sdp")
    (route,) = invite.routes
    assert parameters(route.uri) == [("lr", None), ("unknownwith", "value"), ("unknown-no-value", None)]
    (contact,) = invite.contacts
    assert contact == NameAddr(
        parse_uri("sip:jdrosen@example.com"),
        'Quoted string ""',
        Parameters({"newparam": "newvalue", "secondparam": None, "q": "0.33"}),
    )
    assert len(invite.body) == 150
    assert len(invite.headers) == 14


def test_intmeth_every_token_character() -> None:
    message = request("intmeth")
    assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert isinstance(message.uri, SipUri)
    assert message.uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert message.uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert (message.uri.host, message.uri.port) == ("example.com", None)
    assert message.via == Via("TCP", "host1.example.com", None, Parameters({"branch": "z9hG4bK-.!%66*_+`'~"}))
    assert message.to.display_name == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert message.from_.display_name == "token1~` token2'+_ token3*%!.-"
    assert message.from_.tag == "_token~1'+`*%!-."
    assert message.from_.parameters.text("fromParam''~+*_!.-%") == "работающий"
    assert message.call_id == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
    assert (message.cseq.number, message.cseq.method) == (139122385, message.method)
    assert message.max_forwards == 255
    assert message.headers.get("extensionHeader-!.%*+_`'~") == "\ufeff大停電"
    assert len(message.headers) == 8


def test_intmeth_is_answered_with_the_display_name_as_it_came() -> None:
    answer = bytes(request("intmeth").response(501, to_tag="9"))
    assert b'\r\nTo: "BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:1_unusual.URI' in answer
    assert parse(answer).to.tag == "9"


def test_esc01_escapes_are_resolved_once() -> None:
    invite = request("esc01")
    assert isinstance(invite.uri, SipUri)
    assert (invite.uri.user, invite.uri.host) == ("sips:user@example.com", "example.net")
    assert invite.to.uri == parse_uri("sip:user@example.com")
    assert str(invite.to.uri) == "sip:%75se%72@example.com"
    assert isinstance(invite.from_.uri, SipUri)
    assert invite.from_.uri.user == "I have spaces"
    (contact,) = invite.contacts
    assert isinstance(contact.uri, SipUri)
    assert (contact.uri.user, contact.uri.host) == ("caller", "host5.example.net")
    assert parameters(contact.uri) == [("lr", None), ("name", "value%41")]
    assert invite.call_id == "esc01.239409asdfakjkn23onasd0-3234"
    assert len(invite.body) == 150


def test_escnull_does_not_cut_the_user_part() -> None:
    register = request("escnull")
    assert [contact.uri.user for contact in register.contacts if isinstance(contact.uri, SipUri)] == [
        "\0",
        "\0\0",
    ]
    first, second = register.contacts
    assert first != second
    assert isinstance(register.to.uri, SipUri)
    assert register.to.uri.user == "null-\0-null"
    assert register.body == b""


def test_esc02_percent_is_an_ordinary_character_elsewhere() -> None:
    message = request("esc02")
    assert message.method == "RE%47IST%45R"
    assert message.to.display_name == "%Z%45"
    assert message.via.branch == "z9hG4bK209%fzsnel234"
    assert [str(contact) for contact in message.contacts] == [
        "<sip:alias1@host1.example.com>",
        "<sip:alias3@host3.example.com>",
    ]
    assert message.headers.get("C%6Fntact") == "<sip:alias2@host2.example.com>"


def test_lwsdisp_name_glued_to_the_uri() -> None:
    options = request("lwsdisp")
    assert options.from_ == NameAddr(
        parse_uri("sip:caller@example.com"), "caller", Parameters({"tag": "323"})
    )


def test_longreq_has_no_fixed_buffers() -> None:
    invite = request("longreq")
    assert invite.to.display_name == "I have a user name of " + "extreme" * 10 + " proportion"
    assert isinstance(invite.to.uri, SipUri)
    assert (invite.to.uri.user, invite.to.uri.host, invite.to.uri.port) == ("user", "example.com", 6000)
    assert parameters(invite.to.uri) == [
        ("unknownparam1", "very" + "long" * 20 + "value"),
        ("longparam" + "name" * 25, "shortvalue"),
        ("very" + "long" * 25 + "parameternamewithnovalue", None),
    ]
    assert isinstance(invite.from_.uri, SipUri)
    assert invite.from_.uri.user == "amazinglylongcallername" * 5
    assert invite.from_.tag == "1" + "298" * 50 + "2424"
    assert list(invite.from_.parameters)[1:] == [
        ("unknownheaderparam" + "name" * 20, "unknowheaderparam" + "value" * 15),
        ("unknownvalueless" + "paramname" * 10, None),
    ]
    assert invite.call_id == "longreq.one" + "really" * 20 + "longcallid"
    assert [via.sent_by for via in invite.vias] == [
        *(f"sip{number}.example.com" for number in range(33, 0, -1)),
        "host.example.com",
    ]
    assert invite.vias[-1].received == "192.0.2.5"
    assert invite.vias[-1].branch == "very" + "long" * 50 + "branchvalue"
    assert len(invite.headers) == 43
    assert len(invite.body) == 150


def test_dblreq_ends_where_content_length_says() -> None:
    register = request("dblreq")
    assert register.method == "REGISTER"
    assert register.call_id == "dblreq.0ha0isndaksdj99sdfafnl3lk233412"
    assert register.body == b""
    assert len(register.headers) == 8


def test_semiuri_keeps_the_semicolon_in_the_user_part() -> None:
    options = request("semiuri")
    assert isinstance(options.uri, SipUri)
    assert (options.uri.user, options.uri.host) == ("user;par=u@example.net", "example.com")
    assert parameters(options.uri) == []
    assert str(options.uri) == "sip:user;par=u%40example.net@example.com"
    assert [media.media_type for media in options.headers.typed("Accept")] == [
        "application/sdp",
        "application/pkcs7-mime",
        "multipart/mixed",
        "multipart/signed",
        "message/sip",
        "message/sipfrag",
    ]


def test_transports_known_and_unknown() -> None:
    options = request("transports")
    assert [(via.transport, via.sent_by, via.branch) for via in options.vias] == [
        ("UDP", "t1.example.com", "z9hG4bKkdjuw"),
        ("SCTP", "t2.example.com", "z9hG4bKklasjdhf"),
        ("TLS", "t3.example.com", "z9hG4bK2980unddj"),
        ("UNKNOWN", "t4.example.com", "z9hG4bKasd0f3en"),
        ("TCP", "t5.example.com", "z9hG4bK0a9idfnee"),
    ]


def test_mpart01_binary_body_survives() -> None:
    message = request("mpart01")
    assert len(message.body) == 553
    assert message.content_type is not None
    text, signature = parse_multipart(message.body, message.content_type)
    assert (text.content_type, text.body) == (MediaType("text", "plain"), b"Hello")
    assert signature.content_type == MediaType("application", "octet-stream")
    assert signature.headers.get("Content-Transfer-Encoding") == "binary"
    assert len(signature.body) == 342
    assert signature.body.count(b"\0") == 2
    assert signature.body in octets("mpart01")


def test_unreason_any_text_is_a_reason() -> None:
    ok = response("unreason")
    assert (ok.status, ok.reason) == (200, "= 2**3 * 5**2 но сто девяносто девять - простое")
    assert (ok.from_.tag, ok.to.tag) == ("11141343", "2229")
    assert len(ok.body) == 154


def test_noreason_the_phrase_may_be_empty() -> None:
    trying = response("noreason")
    assert (trying.status, trying.reason) == (100, "")
    assert bytes(trying).startswith(b"SIP/2.0 100 \r\n")


def test_unknown_schemes_are_opaque() -> None:
    assert request("unkscm").uri == OtherUri("nobodyKnowsThisScheme", "totallyopaquecontent")
    assert request("novelsc").uri == OtherUri("soap.beep", "//192.0.2.103:3002")
    register = request("unksm2")
    assert register.to.uri == OtherUri("isbn", "2983792873")
    assert register.from_.uri == OtherUri("http", "//www.example.com")
    assert register.from_.tag == "3234233"
    assert [contact.uri for contact in register.contacts] == [OtherUri("name", "John_Smith")]


def test_bext01_lists_what_is_required() -> None:
    options = request("bext01")
    assert options.require == ("nothingSupportsThis", "nothingSupportsThisEither")
    assert options.headers.typed("Proxy-Require") == (
        "noProxiesSupportThis",
        "norDoAnyProxiesSupportThis",
    )


def test_invut_and_sdp01_media_types() -> None:
    assert request("invut").content_type == MediaType("application", "unknownformat")
    assert len(request("invut").body) == 40
    (media,) = request("sdp01").headers.typed("Accept")
    assert (media.type, media.subtype) == ("text", "nobodyknowsthis")


def test_regaut01_unknown_authentication() -> None:
    (credentials,) = request("regaut01").headers.typed("Authorization")
    assert (credentials.scheme, credentials.is_digest) == ("NoOneKnowsThisScheme", False)
    assert list(credentials.parameters) == [("opaque-data", "here")]


def test_bcast_both_vias_are_seen() -> None:
    assert [via.sent_by for via in response("bcast").vias] == ["192.0.2.198", "255.255.255.255"]


def test_zeromf_is_zero_and_not_absent() -> None:
    assert request("zeromf").max_forwards == 0


def test_cparam_where_a_parameter_belongs() -> None:
    (bare,) = request("cparam01").contacts
    assert (parameters(bare.uri), bare.parameters) == ([], Parameters({"unknownparam": None}))
    (bracketed,) = request("cparam02").contacts
    assert (parameters(bracketed.uri), bracketed.parameters) == ([("unknownparam", None)], Parameters())


def test_regescrt_keeps_the_headers_of_the_uri() -> None:
    (contact,) = request("regescrt").contacts
    assert isinstance(contact.uri, SipUri)
    assert contact.uri.headers == (("Route", "<sip:sip.example.com>"),)
    assert str(contact) == "<sip:user@example.com?Route=%3Csip:sip.example.com%3E>"


def test_inv2543_an_old_request() -> None:
    invite = request("inv2543")
    assert (invite.via.branch, invite.from_.tag, invite.max_forwards) == (None, None, None)
    assert invite.to.parameters == Parameters({"user": "phone"})
    assert parameters(invite.from_.uri) == [("user", "phone")]
    assert isinstance(invite.record_routes[0].uri, SipUri)
    assert invite.record_routes[0].uri.parameters.get("maddr") == "ss1.example.com"
    assert invite.body.endswith(b"m=audio 49217 RTP/AVP 0\r\n")


def test_badbranch_the_bare_cookie_is_a_branch() -> None:
    assert request("badbranch").via.branch == "z9hG4bK"


def test_escruri_is_taken_with_its_headers_seen() -> None:
    invite = request("escruri")
    assert isinstance(invite.uri, SipUri)
    assert invite.uri.headers == (("Route", "<sip:example.com>"),)


def test_baddate_is_refused_only_where_the_date_is_read() -> None:
    invite = request("baddate")
    with pytest.raises(ParseError):
        invite.headers.typed("Date")


def test_baddn_with_its_empty_line() -> None:
    options = parse(octets("baddn") + b"\r\n")
    with pytest.raises(ParseError):
        validate(options)


def test_badvers_is_answered_505() -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse(octets("badvers"))
    assert caught.value.status == 505
    assert caught.value.request is not None
    assert caught.value.request.via.sent_by == "c.example.com"


def test_badinv01_is_answered_to_the_host_of_its_broken_via() -> None:
    with pytest.raises(MalformedMessage) as caught:
        validate(parse(octets("badinv01")))
    broken = caught.value.request
    assert broken is not None
    assert broken.via == Via("UDP", "192.0.2.15")
    assert broken.response(400).headers.get("Call-ID") == "badinv01.0ha0isndaksdjasdf3234nas"


def test_multi01_and_insuf_are_answered_with_what_there_is() -> None:
    with pytest.raises(MalformedMessage) as caught:
        validate(parse(octets("multi01")))
    assert caught.value.request is not None
    answer = caught.value.request.response(400)
    assert [answer.headers.raw(name) for name in ("Call-ID", "CSeq", "To")] == [
        ("multi01.98asdh@192.0.2.1",),
        ("5 INVITE",),
        ("sip:user@example.com",),
    ]
    with pytest.raises(MalformedMessage) as caught:
        validate(parse(octets("insuf")))
    assert caught.value.request is not None
    assert dict(caught.value.request.response(400).headers.items()) == {
        "Via": "SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf",
        "CSeq": "193942 INVITE",
    }
