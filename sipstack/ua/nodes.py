"""The nodes of a cluster, as the application names them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from sipstack.errors import LocalProtocolError
from sipstack.ua.account import Account
from sipstack.ua.arguments import sip_uri

NO_NODES: Mapping[str, str] = MappingProxyType({})
_is_name = re.compile(r"[A-Za-z0-9\-_.!~*]+").fullmatch


def other_nodes(nodes: Mapping[str, str], node: str | None, accounts: Iterable[Account]) -> Mapping[str, str]:
    """A URI that leads to each of ``nodes`` but ``node``, which is us. Raises LocalProtocolError where they
    could not know one another.
    """
    if not nodes:
        return NO_NODES
    if node is None:
        raise LocalProtocolError("nodes are given, but not which of them we are: give node= as well")
    for name in (node, *nodes):
        if not _is_name(name):
            raise LocalProtocolError(f"{name!r} is no name of a node in a Contact: take letters and digits")
    for account in accounts:
        uri = sip_uri(f"sip:{account.contact_host or 'none.invalid'}", "sip:example.com")
        if (uri.parameters.get("node") or "").lower() != node.lower():
            example = f"{uri.host if account.contact_host else 'cluster.example.com'};node={node}"
            raise LocalProtocolError(
                f"the Contact must name this node, so that others find it: give contact_host={example!r}"
            )
    others = {name: address for name, address in nodes.items() if name.lower() != node.lower()}
    return {name: str(sip_uri(_as_uri(text), "sip:10.0.0.2:5060")) for name, text in others.items()}


def _as_uri(address: str) -> str:
    return address if address.lower().startswith(("sip:", "sips:")) else f"sip:{address}"
