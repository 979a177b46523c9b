"""Performs the core's questions: the hosts file, then the DNS, then whatever else the system knows.

dnspython is imported when the first name is looked up.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sipstack.core.dns_records import NO_NAME, NO_RECORD, Answer, Naptr, Query, Record, Srv
from sipstack.core.outputs import Address
from sipstack.net.hosts_file import HostsFile

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver as AsyncResolver

LIFETIMES = {"A": 5.0, "AAAA": 5.0, "SRV": 2.0, "NAPTR": 2.0}
"""Seconds that all servers together have for one query; many a server is silent about what it does not know,
and where there are no services the address does.
"""
TTL_OF_HOST = 30.0
"""Seconds that an answer without a TTL holds: of the hosts file, or of the system."""
TTL_OF_FAILURE = 5.0
MAXIMUM_RECORDS = 64


class Resolver:
    """Asks the system's name servers, or else ``nameservers`` (IP address, port) and nobody beside them but
    the hosts file. ``hosts`` is the path of that; the system's where it is None.
    """

    def __init__(self, nameservers: Sequence[Address] | None = None, *, hosts: str | None = None) -> None:
        self._nameservers = nameservers
        self._hosts = HostsFile(hosts)
        self._resolver: AsyncResolver | None = None

    async def resolve(self, query: Query) -> Answer:
        """The records of one name and type, within 5 s (SRV and NAPTR: 2 s). Of who is in the hosts file
        nothing is asked.
        """
        is_address = query.type in ("A", "AAAA")
        if self._hosts.has(_host(query.name)):
            known = self._hosts.addresses(query.name, query.type) if is_address else ()
            return Answer(tuple(known), TTL_OF_HOST, "" if known else NO_RECORD)
        answer, asked_in_vain = await self._ask(query)
        if asked_in_vain and is_address and self._nameservers is None:
            return await _of_system(query) or answer
        return answer

    async def _ask(self, query: Query) -> tuple[Answer, bool]:
        """The answer of the DNS, and whether it knows no such name: then the system may know it."""
        import dns.exception
        import dns.resolver

        lifetime = LIFETIMES[query.type]
        try:
            found = await self._dns().resolve(
                query.name, query.type, raise_on_no_answer=False, lifetime=lifetime, search=False
            )
        except dns.resolver.NXDOMAIN as error:
            responses: dict[Any, Any] = error.kwargs.get("responses") or {}
            ttl = min((_negative_ttl(each) for each in responses.values()), default=0.0)
            return Answer(ttl=ttl, problem=NO_NAME), True
        except dns.resolver.NoResolverConfiguration:
            return Answer(ttl=TTL_OF_FAILURE, problem="this host names no DNS server"), True
        except dns.resolver.NoNameservers:
            return Answer(ttl=TTL_OF_FAILURE, problem="the DNS server failed or refused"), False
        except dns.exception.Timeout:
            return Answer(ttl=TTL_OF_FAILURE, problem=f"no DNS server answered within {lifetime:g} s"), False
        except (dns.exception.DNSException, OSError, UnicodeError, ValueError) as error:
            return Answer(ttl=TTL_OF_FAILURE, problem=str(error) or type(error).__name__), False
        if found.rrset is None:
            return Answer(ttl=_negative_ttl(found.response), problem=NO_RECORD), False
        records = [record for each in list(found.rrset)[:MAXIMUM_RECORDS] if (record := _record(each))]
        return Answer(tuple(records), float(_lowest_ttl(found))), False

    def _dns(self) -> AsyncResolver:
        if self._resolver is None:
            import dns.asyncresolver
            import dns.nameserver

            resolver = dns.asyncresolver.Resolver(configure=self._nameservers is None)
            if self._nameservers is not None:
                resolver.nameservers = [
                    dns.nameserver.Do53Nameserver(host, port) for host, port in self._nameservers
                ]
            self._resolver = resolver
        return self._resolver


def _host(name: str) -> str:
    """Whose service it is: the name behind _sip._udp (RFC 2782)."""
    while name.startswith("_") and "." in name:
        name = name.partition(".")[2]
    return name


def _record(rdata: Any) -> Record | None:
    match rdata.rdtype.name:
        case "A" | "AAAA":
            return str(rdata.address)
        case "SRV":
            return Srv(rdata.priority, rdata.weight, rdata.port, rdata.target.to_text())
        case "NAPTR":
            flags, service, regexp = (
                text.decode("ascii", "replace") for text in (rdata.flags, rdata.service, rdata.regexp)
            )
            return Naptr(rdata.order, rdata.preference, flags, service, regexp, rdata.replacement.to_text())
    return None


def _lowest_ttl(found: Any) -> int:
    """That of the records, or of a CNAME on the way to them."""
    return min((rrset.ttl for rrset in found.response.answer), default=0)


def _negative_ttl(response: Any) -> float:
    """How long "there is none" holds (RFC 2308 §5); 0 where the server does not say."""
    ttls = [
        min(rrset.ttl, rdata.minimum)
        for rrset in response.authority
        for rdata in rrset
        if rdata.rdtype.name == "SOA"
    ]
    return float(min(ttls, default=0))


async def _of_system(query: Query) -> Answer | None:
    """What the system knows beside the DNS, such as mDNS and names without a dot."""
    family = socket.AF_INET if query.type == "A" else socket.AF_INET6
    try:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(LIFETIMES[query.type]):
            found = await loop.getaddrinfo(query.name, None, family=family, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError, TimeoutError):
        return None
    addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
    return Answer(tuple(addresses), TTL_OF_HOST)
