"""Asterisk's configuration: the templates in ``etc/``, filled in for one run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from interop.asterisk.sound import tone, write_wav
from interop.ports import HOST
from sipstack.testing.certificates import HOUR, CertificateAuthority

TEMPLATES = Path(__file__).parent / "etc"
DEFAULTS = ("acl", "ccss", "cdr", "cel", "features", "indications", "manager", "minivm", "pjproject", "udptl")
"""Files that Asterisk misses with an error in its log; empty, they mean the defaults."""
HOLD_TONE = 300  # Hz: what a party on hold hears


def render(folder: Path, values: Mapping[str, object], *, sha256: bool) -> None:
    """Write all files into ``folder``, with ``@NAME@`` in them replaced by the value of that name.

    ``sha256`` says whether this Asterisk knows the digest algorithms of RFC 8760.
    """
    for name in DEFAULTS:
        (folder / f"{name}.conf").touch()
    for template in sorted(TEMPLATES.glob("*.conf")):
        if sha256 or template.name != "pjsip_digest.conf":
            (folder / template.name).write_text(_filled_in(template.read_text(), values))
    _certificates(folder)
    (folder / "moh").mkdir()
    write_wav(folder / "moh" / "tone.wav", tone(HOLD_TONE, 30.0))


def _certificates(folder: Path) -> None:
    authority = CertificateAuthority()
    authority.write(folder)
    authority.issue(HOST, "::1", "localhost").write(folder, "server")
    authority.issue("elsewhere.example.com").write(folder, "wrong")
    authority.issue(HOST, "::1", ends=-HOUR).write(folder, "expired")
    authority.issue("client.example.com").write(folder, "client")
    CertificateAuthority("another authority").issue(HOST).write(folder, "stranger")
    _, key = authority.issue(common_name="SHAKEN 709J", provider="709J").write(folder, "provider")
    key.chmod(0o600)  # Asterisk takes no key that others may read


def _filled_in(text: str, values: Mapping[str, object]) -> str:
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text
