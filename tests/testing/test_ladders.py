"""The lines of a ladder."""

from __future__ import annotations

from sipstack.testing.ladders import ladder, shown, timed
from sipstack.testing.world import World


def test_what_is_no_message_is_shown_as_its_first_octets() -> None:
    assert shown(b"\r\n\r\n") == r"b'\r\n\r\n'"
    assert shown(b"x" * 100) == repr(b"x" * 40)


def test_a_message_is_shown_by_its_start_line_and_its_cseq() -> None:
    assert shown(b"BYE sip:bob@bob.test SIP/2.0\r\nCSeq: 7 BYE\r\n\r\n") == "BYE sip:bob@bob.test [7]"
    assert shown(b"SIP/2.0 603 Not Now\r\nCSeq: 7 INVITE\r\n\r\n") == "603 Not Now [7 INVITE]"


def test_spacing_and_empty_lines_do_not_count() -> None:
    lines = ["alice -> bob BYE sip:bob@bob.test [2]", "bob -> alice 200 OK [2 BYE]"]
    text = """
        alice -> bob    BYE sip:bob@bob.test [2]

        bob -> alice    200 OK [2 BYE]
    """
    assert ladder(text) == lines
    assert timed("0.5 " + text.strip().splitlines()[0]) == [(0.5, lines[0])]


def test_a_look_shows_what_was_sent_since_the_last_one() -> None:
    world = World()
    world.names["alice.test"] = ["10.0.0.1"]
    bye = b"BYE sip:bob@bob.test SIP/2.0\r\nCSeq: 7 BYE\r\n\r\n"
    world.send(("10.0.0.1", 5060), ("10.0.0.2", 5060), bye)
    assert world.ladder(by="bob") == []
    assert world.ladder() == []
    world.run(1.23456)
    world.send(("10.0.0.1", 5061), ("2001:db8::1", 5060), bye)
    assert world.timed_ladder() == [(1.235, "10.0.0.1:5061 -> [2001:db8::1]:5060 BYE sip:bob@bob.test [7]")]
