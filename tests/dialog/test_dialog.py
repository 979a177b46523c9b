"""How a dialog begins and what it remembers (RFC 3261 §12.1, §12.2.1.2, §12.2.2, §13.2.2.4)."""

from __future__ import annotations

import attrs
import pytest

from sipstack.dialog.dialog import Dialog
from sipstack.errors import ParseError, RemoteProtocolError
from tests.dialog.examples import ROUTES, answer, invite

UAS_OF_THE_INVITE = {
    "call_id": "call-1",
    "local_tag": "b1",
    "remote_tag": "a1",
    "local": "Bob <sip:bob@example.com>;tag=b1",
    "remote": '"Alice" <sip:alice@example.com>;tag=a1',
    "remote_target": "sip:alice@192.0.2.1:5060",
    "route_set": (),
    "local_cseq": 0,
    "remote_cseq": 7,
    "early": True,  # until it is accepted
    "secure": False,
    "session_id": "",
}

UAC_OF_THE_200 = {
    "call_id": "call-1",
    "local_tag": "a1",
    "remote_tag": "b1",
    "local": '"Alice" <sip:alice@example.com>;tag=a1',
    "remote": "Bob <sip:bob@example.com>;tag=b1",
    "remote_target": "sip:bob@192.0.2.2:5060",
    "route_set": (),
    "local_cseq": 7,
    "remote_cseq": None,
    "early": False,
    "secure": False,
    "session_id": "",
}


def state(dialog: Dialog) -> dict[str, object]:
    """The whole record (§12.1.1, §12.1.2 list what belongs to it)."""
    return attrs.asdict(dialog)


# --- §12.1.1: the UAS ---


def test_a_uas_without_exactly_one_sip_contact_has_no_dialog() -> None:
    for contacts in ((), ("<sip:a@h>", "<sip:b@h>"), ("<sip:a@h>, <sip:b@h>",), ("*",), ("<tel:+15550100>",)):
        with pytest.raises(RemoteProtocolError) as caught:
            Dialog.as_server(invite(contacts=contacts), "b1")
        assert caught.value.status == 400


def test_a_contact_that_is_no_uri_is_a_parse_error() -> None:
    with pytest.raises(ParseError):
        Dialog.as_server(invite(contacts=("<sip:>",)), "b1")


def test_the_uas_takes_its_state_from_the_request() -> None:
    assert state(Dialog.as_server(invite(), "b1")) == UAS_OF_THE_INVITE


def test_the_uas_takes_the_route_set_in_order() -> None:
    dialog = Dialog.as_server(invite(record_routes=ROUTES), "b1")
    assert state(dialog) == UAS_OF_THE_INVITE | {"route_set": ROUTES}


def test_one_record_route_line_may_hold_several_routes() -> None:
    dialog = Dialog.as_server(invite(record_routes=[", ".join(ROUTES)]), "b1")
    assert dialog.route_set == ROUTES


def test_an_rfc_2543_caller_has_no_tag() -> None:
    """§12.1.1: "it MUST be prepared to receive a request without a tag in the From field"."""
    dialog = Dialog.as_server(invite(from_="<sip:alice@example.com>"), "b1")
    assert state(dialog) == UAS_OF_THE_INVITE | {"remote_tag": "", "remote": "<sip:alice@example.com>"}
    assert dialog.key == ("call-1", "b1", "")


# --- §12.1.2: the UAC ---


def test_a_uac_without_exactly_one_sip_contact_in_the_2xx_has_no_dialog() -> None:
    for contacts in ((), ("<sip:a@h>", "<sip:b@h>"), ("*",), ("<mailto:bob@example.com>",)):
        with pytest.raises(RemoteProtocolError):
            Dialog.as_client(invite(), answer(contacts=contacts))


def test_the_uac_takes_its_state_from_request_and_response() -> None:
    assert state(Dialog.as_client(invite(), answer())) == UAC_OF_THE_200


def test_the_uac_takes_the_route_set_in_reverse_order() -> None:
    dialog = Dialog.as_client(invite(), answer(record_routes=ROUTES))
    assert state(dialog) == UAC_OF_THE_200 | {"route_set": ROUTES[::-1]}


def test_a_provisional_makes_an_early_dialog() -> None:
    dialog = Dialog.as_client(invite(), answer(180, record_routes=ROUTES))
    assert state(dialog) == UAC_OF_THE_200 | {"early": True, "route_set": ROUTES[::-1]}


def test_until_it_is_known_the_remote_target_of_an_early_dialog_is_the_request_uri() -> None:
    dialog = Dialog.as_client(invite(), answer(180, contacts=()))
    assert state(dialog) == UAC_OF_THE_200 | {"early": True, "remote_target": "sip:bob@biloxi.example.com"}


def test_two_contacts_are_no_better_in_a_provisional() -> None:
    with pytest.raises(RemoteProtocolError):
        Dialog.as_client(invite(), answer(180, contacts=("<sip:a@h>", "<sip:b@h>")))


def test_an_rfc_2543_callee_has_no_tag() -> None:
    """§12.1.2: "a UAC MUST be prepared to receive a response without a tag in the To field"."""
    dialog = Dialog.as_client(invite(), answer(to_tag=None))
    assert state(dialog) == UAC_OF_THE_200 | {"remote_tag": "", "remote": "Bob <sip:bob@example.com>"}


# --- early becomes confirmed: §13.2.2.4 ---


def test_the_2xx_computes_route_set_and_remote_target_again() -> None:
    dialog = Dialog.as_client(invite(), answer(180, contacts=(), record_routes=ROUTES))
    dialog.confirm(answer(record_routes=["<sip:p3.example.com;lr>"]))
    assert state(dialog) == UAC_OF_THE_200 | {"route_set": ("<sip:p3.example.com;lr>",)}


def test_a_2xx_without_record_route_empties_the_route_set() -> None:
    dialog = Dialog.as_client(invite(), answer(180, record_routes=ROUTES))
    dialog.confirm(answer())
    assert state(dialog) == UAC_OF_THE_200


def test_a_2xx_without_contact_confirms_nothing_usable() -> None:
    dialog = Dialog.as_client(invite(), answer(180))
    with pytest.raises(RemoteProtocolError):
        dialog.confirm(answer(contacts=()))


# --- target refresh: §12.2.1.2, §12.2.2 ---


def test_a_new_contact_moves_the_remote_target_and_leaves_the_route_set() -> None:
    dialog = Dialog.as_client(invite(), answer(record_routes=ROUTES))
    moved = answer(contacts=["<sip:bob@192.0.2.22>"], record_routes=["<sip:p9.example.com;lr>"])
    dialog.refresh_target(moved)
    expected = UAC_OF_THE_200 | {"remote_target": "sip:bob@192.0.2.22", "route_set": ROUTES[::-1]}
    assert state(dialog) == expected


def test_without_a_contact_the_remote_target_stays() -> None:
    dialog = Dialog.as_client(invite(), answer())
    dialog.refresh_target(answer(contacts=()))
    assert state(dialog) == UAC_OF_THE_200


def test_two_contacts_refresh_nothing() -> None:
    dialog = Dialog.as_server(invite(), "b1")
    with pytest.raises(RemoteProtocolError) as caught:
        dialog.refresh_target(invite(contacts=("<sip:a@h>", "<sip:b@h>")))
    assert (caught.value.status, state(dialog)) == (400, UAS_OF_THE_INVITE)
