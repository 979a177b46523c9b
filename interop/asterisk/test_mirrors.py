"""Reading apt's sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from interop.asterisk.mirrors import Source, deb822_sources, mirror, one_line_sources

ONE_LINE = """
# deb http://old.example/debian trixie main
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] https://tools.example/apt stable-tools main # tools
deb-src http://mirror.example/debian trixie main
deb cdrom:[Debian]/ trixie main
deb http://mirror.example/debian trixie main contrib
"""

DEB822 = """
# Types: deb
# URIs: http://old.example/debian
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: trixie trixie-updates
Components: main
Signed-By: -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc:def

Enabled: no
Types: deb
URIs: http://disabled.example/debian
Suites: trixie
Components: main
"""


def test_one_line_sources_with_options_and_comments() -> None:
    assert list(one_line_sources(ONE_LINE)) == [
        Source("https://tools.example/apt", "stable-tools", ("main",)),
        Source("http://mirror.example/debian", "trixie", ("main", "contrib")),
    ]


def test_deb822_sources_with_comments_and_continuation_lines() -> None:
    assert list(deb822_sources(DEB822)) == [
        Source("http://mirror.example/debian", "trixie", ("main",)),
        Source("http://mirror.example/debian", "trixie-updates", ("main",)),
    ]


@pytest.mark.parametrize(
    ("name", "text"), [("sources.list", ONE_LINE), ("sources.list.d/debian.sources", DEB822)]
)
def test_the_mirror_is_the_one_of_the_release_that_runs(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / name).write_text(text)
    release = tmp_path / "os-release"

    release.write_text('ID=debian\nVERSION_CODENAME="trixie"\n')
    assert mirror(tmp_path, release) == "http://mirror.example/debian"

    release.write_text("ID=debian\nVERSION_CODENAME=forky\n")
    assert mirror(tmp_path, release) is None


def test_a_system_without_apt_has_no_mirror(tmp_path: Path) -> None:
    assert mirror(tmp_path, tmp_path / "os-release") is None
