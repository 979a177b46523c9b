"""Arguments that are checked, and the options that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

import sipstack
from sipstack.cli.environment import Environment
from sipstack.cli.help import CommandWithExamples
from sipstack.cli.identity import Identity, identity_options, listen_address
from sipstack.cli.options import Output, output_options, proxy, uri
from sipstack.ua.account import ANONYMOUS
from tests.cli.streams import environment


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ("600@pbx", "'600@pbx' is not a SIP URI: write sip:600@pbx"),
        ("bob", "'bob' is not a SIP URI: write sip:bob"),
        ("http://pbx", "'http://pbx' is not a SIP URI: write sip:600@pbx.example.com"),
        ("sip:", "'sip:' is not a SIP URI: write sip:600@pbx.example.com"),
        ("sip:a b", "'sip:a b' is not a SIP URI: write sip:600@pbx.example.com"),
        ("sip:a@b\r\nX: y", "'sip:a@b\\r\\nX: y' is not a SIP URI: write sip:600@pbx.example.com"),
        ("", "'' is not a SIP URI: write sip:600@pbx.example.com"),
    ],
)
def test_what_is_no_uri_is_told_what_to_type(value: str, advice: str) -> None:
    with pytest.raises(click.BadParameter) as error:
        uri(value)
    assert error.value.message == advice


@pytest.mark.parametrize(
    "value", ["sip:600@pbx", "sips:bob@example.com;transport=tls", "SIP:[::1]:5070", "tel:+358"]
)
def test_uris(value: str) -> None:
    assert uri(value) == value


@pytest.mark.parametrize(
    "value",
    ["5060", "0.0.0.0:5060", "udp:0.0.0.0", "udp::5060", "udp:[::1]", "udp:::1:5060", "udp:h:65536", "x:h:1"],
)
def test_what_is_no_address_is_told_what_to_type(value: str) -> None:
    with pytest.raises(click.BadParameter) as error:
        listen_address(value)
    assert error.value.message == (
        f"{value!r} is not TRANSPORT:HOST:PORT: write udp:0.0.0.0:5060 or tls:[::]:5061"
        " (the transports are udp, tcp, tls, ws, wss)"
    )


@pytest.mark.parametrize(
    "value", ["udp:0.0.0.0:0", "udp:[::1]:5060", "UDP:192.0.2.1:65535", "tls:0.0.0.0:5061", "wss:[::]:8089"]
)
def test_listen_addresses(value: str) -> None:
    assert listen_address(value) == value


@click.command(cls=CommandWithExamples, examples=())
@identity_options(listen="udp:0.0.0.0:5060")
@output_options
def shared(**values: Any) -> dict[str, Any]:
    return values


def parsed(env: Environment, *arguments: str) -> dict[str, Any]:
    result = shared.main(list(arguments), standalone_mode=False, obj=env)
    assert isinstance(result, dict)
    return result


def test_the_defaults() -> None:
    assert parsed(environment()) == {
        "identity": Identity(("udp:0.0.0.0:5060",), ANONYMOUS, None, None, None),
        "output": Output(False, False, None, 0),
    }


def test_all_shared_options() -> None:
    env = environment(variables={"SIPSTACK_PASSWORD": "secret"})
    arguments = (
        "--listen udp:[::1]:0 --listen tcp:0.0.0.0:5060 --from sip:alice@example.com --user al --proxy sip:p"
    )
    arguments += " --json --trace -vv --pcap f"
    assert parsed(env, *arguments.split()) == {
        "identity": Identity(
            ("udp:[::1]:0", "tcp:0.0.0.0:5060"), "sip:alice@example.com", "al", "secret", "sip:p"
        ),
        "output": Output(True, True, Path("f"), 2, full=False),
    }


@pytest.mark.parametrize("value", ["sip:pbx.example.com", "wss://pbx.example.com:8089/ws", "ws://127.0.0.1"])
def test_a_proxy_is_a_uri_or_the_url_of_a_websocket(value: str) -> None:
    assert proxy(value) == value


def test_what_is_no_proxy_is_told_what_to_type() -> None:
    with pytest.raises(click.BadParameter, match="'http://pbx/ws' is not a SIP URI"):
        proxy("http://pbx/ws")


def test_the_options_of_tls(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("cert.pem", "key.pem", "ca.pem")]
    for file in files:
        file.write_text("")
    certificate, key, authority = map(str, files)
    arguments = ["--tls-cert", certificate, "--tls-key", key, "--tls-ca", authority, "--tls-insecure"]
    tls = parsed(environment(), *arguments)["identity"].tls
    assert tls == sipstack.Tls(certificate=files[0], key=files[1], authority=files[2], verify=False)


def test_a_key_without_a_certificate_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("")
    with pytest.raises(click.UsageError, match="--tls-key needs --tls-cert"):
        parsed(environment(), "--tls-key", str(tmp_path / "key.pem"))


@pytest.mark.parametrize("where", ["tls:[::]:5061", "WSS:0.0.0.0:8443"])
def test_listening_securely_without_a_certificate_is_a_mistake(where: str) -> None:
    with pytest.raises(click.UsageError) as error:
        parsed(environment(), "--listen", "udp:[::]:5060", "--listen", where)
    assert error.value.message == f"--listen {where} needs a certificate: give --tls-cert"


def test_the_trace_has_two_forms_and_takes_no_argument_for_its_own() -> None:
    assert parsed(environment(), "--trace")["output"] == Output(False, True, None, 0)
    assert parsed(environment(), "--trace=full", "--json")["output"] == Output(True, True, None, 0, full=True)
    with pytest.raises(click.UsageError, match="'--trace' does not take a value"):
        parsed(environment(), "--trace=all")


def test_a_user_without_a_password_is_asked_on_the_terminal() -> None:
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return "secret"

    identity = parsed(environment(terminal=True, ask_secret=answer), "--user", "alice")["identity"]
    assert (identity.password, asked) == ("secret", ["Password of alice: "])


def test_a_script_without_a_password_is_told_where_to_put_it() -> None:
    with pytest.raises(click.UsageError) as error:
        parsed(environment(), "--user", "alice")
    assert error.value.message == "--user needs a password: set the environment variable SIPSTACK_PASSWORD"


def test_nobody_is_asked_when_the_environment_knows() -> None:
    env = environment(
        terminal=True, variables={"SIPSTACK_PASSWORD": ""}, ask_secret=lambda _: pytest.fail("asked")
    )
    assert parsed(env, "--user", "alice")["identity"].password == ""


def test_a_password_is_not_shown_by_repr() -> None:
    assert "secret" not in repr(Identity(("udp:h:1",), "sip:a@b", "a", "secret", None))


def test_there_is_no_option_that_takes_a_password() -> None:
    with pytest.raises(click.NoSuchOption):
        parsed(environment(), "--password", "secret")
