"""What the 200 to a REGISTER says of our binding."""

from __future__ import annotations

import attrs

from sipstack.errors import ParseError
from sipstack.message import NameAddr, Response, SipUri
from sipstack.usage.refresh import LONGEST
from sipstack.usage.registration.bindings import bindings, gruu_of, ours_among
from sipstack.usage.registration.instance import Instance

MOST_ROUTES = 16
"""A Service-Route of more is not obeyed: each of them goes out in every request."""
MOST_URIS = 64
"""URIs of the registrar that are kept."""


@attrs.frozen
class Grant:
    """The binding as the registrar granted it; addresses are name-addrs as it wrote them.

    ``expires``: seconds. ``path``: the proxies by which requests come to us (RFC 3327 §5.1).
    ``service_route``: those by which ours are to go (RFC 3608 §5). ``associated_uris``: the other
    addresses-of-record that are ours (RFC 7315 §4.1). ``gruu`` and ``temporary_gruu``: URIs that reach this
    device from anywhere (RFC 5627), empty where it gave none. ``outbound``: whether the registrar keeps to
    the flow (RFC 5626 §6). ``flow_timer``: seconds of silence after which the edge proxy takes the flow for
    dead (§4.4.1); None where it does not say.
    """

    expires: float
    path: tuple[str, ...] = ()
    service_route: tuple[str, ...] = ()
    associated_uris: tuple[str, ...] = ()
    gruu: str = ""
    temporary_gruu: str = ""
    outbound: bool = False
    flow_timer: int | None = None

    @classmethod
    def read(cls, response: Response, ours: SipUri | None, instance: Instance | None, asked: int) -> Grant:
        """From a 2xx; ``ours`` is the Contact that we asked for, ``asked`` the seconds. Never raises."""
        listed = list(bindings(response))
        found = ours_among(listed, ours, instance)
        granted = next((each.seconds for each in found if each.seconds is not None), None)
        headers = response.headers
        if granted is None:
            granted = headers.readable("Expires")
        if granted is None:
            times = [each.seconds for each in listed if each.seconds is not None]
            # Ours without a time is granted as asked. Where none is ours, it may be any of them, rewritten
            granted = asked if found or not times else min(asked, *times)
        required = [tag.lower() for tag in headers.readable("Require")]
        return cls(
            float(min(granted, LONGEST)),
            tuple(str(each) for each in headers.readable("Path")[:MOST_URIS]),
            _service_route(response),
            tuple(str(each) for each in headers.readable("P-Associated-URI")[:MOST_URIS]),
            gruu_of(found[0], "pub-gruu") if found else "",
            gruu_of(found[0], "temp-gruu") if found else "",
            "outbound" in required,
            headers.readable("Flow-Timer"),
        )


def _service_route(response: Response) -> tuple[str, ...]:
    """Empty where one of them cannot be read: a route with a hop left out leads elsewhere."""
    try:
        routes: tuple[NameAddr, ...] = response.headers.typed("Service-Route")
        usable = len(routes) <= MOST_ROUTES and all(isinstance(each.uri, SipUri) for each in routes)
    except ParseError:
        return ()
    return tuple(str(each) for each in routes) if usable else ()
