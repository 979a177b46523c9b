"""How TLS is spoken: certificates, and whom to trust."""

from __future__ import annotations

import ssl
from os import PathLike

import attrs

from sipstack.message.secret import Secret, secret_or_none

Path = str | PathLike[str]


@attrs.frozen(kw_only=True)
class Tls:
    """Files are PEM, and read again when they change.

    ``certificate`` and ``key`` are ours, as a server and as a client; without ``key`` it is in the same file,
    and ``password`` opens it. ``authority``: a file or folder with the certificates of those who sign peers'
    certificates; the system's without. ``verify=False`` believes every server, and is for tests only.
    ``wildcards=True`` lets ``*.example.com`` stand for one label, which RFC 5922 §7.2 forbids.
    ``require_client``: whoever connects to us needs a certificate, signed by ``client_authority``, or else by
    ``authority``. ``server`` and ``client`` are contexts of your own for either side, used as they are.
    """

    certificate: Path | None = None
    key: Path | None = None
    password: Secret | None = attrs.field(default=None, converter=secret_or_none)
    authority: Path | None = None
    verify: bool = True
    wildcards: bool = False
    client_authority: Path | None = None
    require_client: bool = False
    server: ssl.SSLContext | None = None
    client: ssl.SSLContext | None = None


def as_tls(tls: Tls | ssl.SSLContext | None) -> Tls:
    """A context is used for the side that it was made for."""
    if tls is None or isinstance(tls, Tls):
        return tls or Tls()
    return Tls(server=tls) if tls.protocol is ssl.PROTOCOL_TLS_SERVER else Tls(client=tls)
