"""The package mirror that this system already uses, read from apt's own sources in either style."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs

APT = Path("/etc/apt")
OS_RELEASE = Path("/etc/os-release")


@attrs.frozen
class Source:
    """Where packages come from: one URI, one suite."""

    uri: str
    suite: str
    components: tuple[str, ...]


def mirror(apt: Path = APT, os_release: Path = OS_RELEASE) -> str | None:
    """The URI of the distribution's own archive, None when apt names none that debootstrap can use."""
    codename = _codename(os_release)
    for source in sources(apt):
        if source.suite in (codename, "stable") and "main" in source.components:
            return source.uri
    return None


def sources(apt: Path) -> Iterator[Source]:
    """All binary package sources in the folder of apt's configuration."""
    folder = apt / "sources.list.d"
    for path in (apt / "sources.list", *sorted(folder.glob("*.list"))):
        if path.is_file():
            yield from one_line_sources(path.read_text())
    for path in sorted(folder.glob("*.sources")):
        yield from deb822_sources(path.read_text())


def one_line_sources(text: str) -> Iterator[Source]:
    """``deb [option=value …] uri suite component …`` (sources.list(5), ONE-LINE-STYLE FORMAT)."""
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words[:1] != ["deb"]:
            continue
        rest = words[1:]
        if rest and rest[0].startswith("["):
            closing = next((i for i, word in enumerate(rest) if word.endswith("]")), len(rest))
            rest = rest[closing + 1 :]
        if len(rest) >= 2 and _usable(rest[0]):
            yield Source(rest[0], rest[1], tuple(rest[2:]))


def deb822_sources(text: str) -> Iterator[Source]:
    """Stanzas of fields, parted by empty lines (sources.list(5), DEB822-STYLE FORMAT)."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in "\n".join(lines).split("\n\n"):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").strip() == "no":
            continue
        components = tuple(fields.get("components", "").split())
        for uri in filter(_usable, fields.get("uris", "").split()):
            for suite in fields.get("suites", "").split():
                yield Source(uri, suite, components)


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line[:1].isspace() and name:
            fields[name] += "\n" + line
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value
    return fields


def _usable(uri: str) -> bool:
    return uri.startswith(("http://", "https://", "file:"))


def _codename(os_release: Path) -> str | None:
    if not os_release.is_file():
        return None
    for line in os_release.read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip().strip('"')
    return None
