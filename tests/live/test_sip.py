"""The scapy packets of this folder: they are written as the other tests rely on."""

from __future__ import annotations

import random

from scapy.fields import RawVal
from scapy.packet import fuzz
from scapy.volatile import RandBin

from tests.live.sip import HeaderField, SipRequest, SipResponse, header_fields, lines, values

INVITE = b"INVITE sip:bob@b.test SIP/2.0\r\nVia: SIP/2.0/UDP a.test\r\nTo: <sip:bob@b.test>\r\n\r\nv=0\r\n"
OK = b"SIP/2.0 200 All is well\r\nTo: <sip:bob@b.test>;tag=1\r\nContent-Length: 0\r\n\r\n"


def test_a_request_is_read_and_written_unchanged() -> None:
    request = SipRequest(INVITE)
    assert (request.method, request.uri, request.version) == (b"INVITE", b"sip:bob@b.test", b"SIP/2.0")
    assert lines(request) == [("Via", "SIP/2.0/UDP a.test"), ("To", "<sip:bob@b.test>")]
    assert request.body == b"v=0\r\n"
    assert bytes(request) == INVITE


def test_a_response_is_read_and_written_unchanged() -> None:
    response = SipResponse(OK)
    assert (response.version, response.status, response.reason) == (b"SIP/2.0", b"200", b"All is well")
    assert values(response, "To") == ["<sip:bob@b.test>;tag=1"]
    assert bytes(response) == OK


def test_a_message_is_built_from_its_fields() -> None:
    fields = header_fields(("Via", "SIP/2.0/UDP a.test"), ("To", "<sip:bob@b.test>"))
    request = SipRequest(method="INVITE", uri="sip:bob@b.test", headers=fields, body="v=0\r\n")
    assert bytes(request) == INVITE


def test_one_field_can_be_spoiled_without_the_others() -> None:
    request = SipRequest(INVITE)
    request.headers[1].value = b"\0"
    assert bytes(request) == INVITE.replace(b"<sip:bob@b.test>", b"\0")
    request.headers[1] = HeaderField(label=RawVal(b"To\r"), value="x")
    assert bytes(request) == INVITE.replace(b"To: <sip:bob@b.test>", b"To\rx")


def test_fuzz_changes_what_is_not_given_and_a_seed_repeats_it() -> None:
    fuzzed = fuzz(SipRequest(method="INVITE", headers=[HeaderField(label="To")]))
    random.seed(1)
    first = bytes(fuzzed)
    random.seed(1)
    assert first == bytes(fuzzed)
    assert first != bytes(fuzzed)
    assert first.startswith(b"INVITE ")
    assert b"\r\nTo: " in first


def test_a_volatile_value_is_another_each_time() -> None:
    random.seed(1)
    request = SipRequest(headers=[HeaderField(label="To", value=RandBin(8))])
    assert bytes(request) != bytes(request)
