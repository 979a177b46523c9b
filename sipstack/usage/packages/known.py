"""The packages that are known by name; any other is octets, or an ``EventPackage`` of the application."""

from __future__ import annotations

from sipstack.usage.packages.conference import CONFERENCE
from sipstack.usage.packages.dialog import DIALOG
from sipstack.usage.packages.message_summary import MESSAGE_SUMMARY
from sipstack.usage.packages.package import EventPackage
from sipstack.usage.packages.presence import PRESENCE
from sipstack.usage.packages.reg import REG

KNOWN = {each.name: each for each in (MESSAGE_SUMMARY, DIALOG, PRESENCE, REG, CONFERENCE)}


def package_named(name: str) -> EventPackage:
    """The package of this name."""
    return KNOWN.get(name) or EventPackage(name)
