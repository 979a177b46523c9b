"""The rules of ARCHITECTURE.md that a program can check: imports, purity, state, the length of files."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import pytest

from tests.source import (
    PROJECT,
    caches,
    circles,
    files,
    imports,
    inside,
    layer_imported,
    layer_of,
    module_of,
    tree_of,
)

PURE = ("message", "sdp", "rtp", "transaction", "dialog", "usage", "core")
SHELLS = ("net", "media", "store", "records", "stir", "ua", "cli")

# A layer imports itself and what its row allows. "sipstack" is the public API, sipstack/__init__.py.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "log": {"errors"},
    "identifiers": set(),
    "outcome": set(),
    "icmp": set(),
    "readers": set(),
    "until_first": set(),
    "workers": {"errors"},
    "stun": {"errors"},
    "message": {"errors"},
    "sdp": {"errors"},
    "rtp": {"errors"},
    "transaction": {"errors", "identifiers", "message"},
    "dialog": {"errors", "identifiers", "outcome", "message", "transaction"},
    "usage": {"errors", "identifiers", "outcome", "message", "transaction", "dialog", "sdp"},
    "core": {"errors", "identifiers", "outcome", *PURE},
    "net": {"errors", "identifiers", "outcome", "icmp", "readers", "stun", "log", "message", "core"},
    "media": {"errors", "identifiers", "icmp", "readers", "log", "sdp", "rtp"},
    "store": {"errors", "identifiers", "log", "outcome"},
    "records": {"errors", "log"},
    "stir": {"errors", "message"},
    "ua": {
        "errors",
        "identifiers",
        "log",
        "outcome",
        "message",
        "sdp",
        "usage",
        "core",
        "net",
        "media",
        "store",
        "records",
        "stir",
        "until_first",
        "workers",
    },
    "agents": {"errors", "log", "media", "until_first", "sipstack"},
    "cli": {"errors", "records", "agents", "ua", "until_first", "sipstack"},
    "__init__": {"errors", "identifiers", "ua", "store", "net", "media", *PURE},
    "__main__": {"cli"},
    "testing": {"errors", "identifiers", "outcome", "stun", "sipstack", *PURE, *SHELLS},
}

IMPURE = {"asyncio", "logging", "os", "random", "secrets", "selectors", "socket", "threading", "time"}
PURE_RECORDS = ("record", "chain", "checkpoint", "commitment", "findings", "verifying", "several", "merging")
PURE_FILES = (
    *(f"{layer}/" for layer in PURE),
    *(f"records/{name}.py" for name in PURE_RECORDS),
    "errors.py",
    "identifiers.py",
    "stun.py",
)
# The one source of randomness, which is given to all other modules; it has to know when the process forks.
EXCEPTIONS_TO_PURITY = {("identifiers.py", "random"), ("identifiers.py", "os")}

# Where each third-party package may be imported: "" is everywhere, others begin the path inside sipstack/.
THIRD_PARTY: dict[str, str | tuple[str, ...]] = {
    "attrs": "",
    "dns": "net/resolver.py",
    "aioice": ("media/webrtc/ice.py", "media/webrtc/turn.py"),
    "aiortc": ("media/tracks.py", "media/webrtc/dtls.py"),
    "av": ("media/conversion.py", "media/avcodec.py"),
    "opuslib_next": "media/libopus.py",
    "pylibsrtp": ("media/srtp.py", "media/webrtc/dtls.py"),
    "scapy": "net/capture.py",
    "websockets": ("net/websocket_", "agents/websocket.py"),
    "pipecat": "agents/pipecat.py",
    "redis": "store/redis_connection.py",
    "sounddevice": "media/sound.py",
    "click": "cli/",
    "rich": "cli/",
    "pytest": "testing/plugin.py",
    "hypothesis": "testing/strategies.py",
    "cbor2": "store/cbor.py",
    "cryptography": ("records/signing.py", "stir/es256.py", "store/aead.py", "testing/certificates.py"),
}

# Imported only where an extra is asked for, so its modules may import the homes of extras at once.
NEEDS_EXTRAS = "media/webrtc/"

CONTAINERS = {"list", "dict", "set", "bytearray", "deque", "defaultdict", "OrderedDict", "Counter", "count"}
CONTAINERS |= {"WeakSet", "WeakKeyDictionary", "WeakValueDictionary"}
# The media clock is shared by the calls of one event loop, and forgotten with the last of them. The
# sources of identifiers that are alive: a forked child makes each of them draw anew.
EXCEPTIONS_TO_STATELESSNESS = {("media/clock.py", "_shared"), ("identifiers.py", "_ALL")}
# A cache is state too, which cannot be seen as long as it is bounded and its values are immutable.
CACHES = {
    ("media/chosen_codecs.py", "known_codecs"): 32,
    ("media/formats.py", "with_formats"): 32,
    ("media/transport.py", "_socket_address"): 16,
    ("media/webrtc/dtls.py", "_certificate"): 2,
    ("message/address.py", "_parse_cached"): 1024,
    ("message/fields.py", "_parse_cseq_cached"): 256,
    ("message/other_uri.py", "_parse_cached"): 1024,
    ("message/parameterised.py", "_parse_session_expires_cached"): 64,
    ("sdp/codec.py", "read_codecs"): 64,
    ("sdp/fields.py", "_family"): 256,
    ("sdp/negotiation.py", "_first_answer"): 128,
    ("sdp/section.py", "_known_views"): 256,
    ("rtp/prediction.py", "_window"): 8,
}

LONGEST_FILE = 500


def complaints(paths: tuple[Path, ...], check: Callable[[Path], Iterator[tuple[int, str]]]) -> list[str]:
    """One ``file:line: complaint`` for everything that ``check`` finds."""
    return [
        f"{path.relative_to(PROJECT).as_posix()}:{line}: {complaint}"
        for path in paths
        for line, complaint in check(path)
    ]


def must_be_empty(found: list[str], advice: str) -> None:
    if found:
        pytest.fail("\n  ".join(["", *found]) + f"\n{advice}", pytrace=False)


def test_a_layer_imports_only_what_its_row_allows() -> None:
    def check(path: Path) -> Iterator[tuple[int, str]]:
        layer = layer_of(path)
        if layer not in MAY_IMPORT:
            yield 1, f"the layer {layer!r} has no row in MAY_IMPORT"
            return
        for line, module, *_ in imports(path):
            other = layer_imported(module)
            if other is not None and other != layer and other not in MAY_IMPORT[layer]:
                yield line, f"{layer} must not import {module}"

    must_be_empty(
        complaints(files("sipstack"), check),
        "Move the code to the layer that it belongs to, or take what it needs as an argument. A new layer"
        " gets a row in MAY_IMPORT and in ARCHITECTURE.md.",
    )


def test_the_pure_layers_have_no_clock_no_chance_and_no_input() -> None:
    def check(path: Path) -> Iterator[tuple[int, str]]:
        for line, module, *_ in imports(path):
            if module.split(".")[0] in IMPURE and (inside(path), module) not in EXCEPTIONS_TO_PURITY:
                yield line, f"a pure layer must not import {module}"

    must_be_empty(
        complaints(tuple(path for path in files("sipstack") if inside(path).startswith(PURE_FILES)), check),
        "Take the time as the argument `now` and random texts from sipstack.identifiers; give effects to the"
        " caller as values.",
    )


def test_third_party_packages_are_imported_where_they_belong() -> None:
    def check(path: Path) -> Iterator[tuple[int, str]]:
        for line, module, *_ in imports(path):
            package = module.split(".")[0]
            if package in sys.stdlib_module_names or package == "sipstack":
                continue
            if package not in THIRD_PARTY:
                yield line, f"{package} is not a dependency of sipstack"
            elif not inside(path).startswith(THIRD_PARTY[package]):
                yield line, f"{package} belongs in sipstack/{THIRD_PARTY[package]}"

    must_be_empty(
        complaints(files("sipstack"), check),
        "Signalling depends on attrs alone. THIRD_PARTY names the one place that imports an extra: use that.",
    )


def test_nothing_but_attrs_is_needed() -> None:
    """Every module outside the homes of the extras can be imported where only attrs is installed."""
    extras = {package: home for package, home in THIRD_PARTY.items() if home}
    homes = [home for package, home in extras.items() if package != "dns"]
    in_homes = (
        *chain.from_iterable([home] if isinstance(home, str) else home for home in homes),
        NEEDS_EXTRAS,
    )
    modules = [
        "sipstack." + inside(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for path in files("sipstack")
        if not inside(path).startswith((*in_homes, "__init__.py", "__main__.py"))
    ]
    program = (
        "import importlib, sys\n"
        f"for extra in {sorted(extras)}: sys.modules[extra] = None\n"
        f"for module in {['sipstack', *modules]}: importlib.import_module(module)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, (
        f"{done.stderr}\nImport the home of an extra inside the function that needs it."
    )


def test_imports_are_absolute() -> None:
    def check(path: Path) -> Iterator[tuple[int, str]]:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ImportFrom) and node.level > 0:
                yield node.lineno, "a relative import"

    must_be_empty(
        complaints(files("sipstack", "tests", "interop"), check),
        "Write the whole name: from sipstack.message import ...",
    )


def test_no_file_is_too_long() -> None:
    def check(path: Path) -> Iterator[tuple[int, str]]:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > LONGEST_FILE:
            yield LONGEST_FILE, f"the file goes on until line {lines}"

    must_be_empty(
        complaints(files("sipstack", "tests", "interop"), check),
        "Look for the two things in it, and part them.",
    )


def test_modules_hold_no_state() -> None:
    """Two user agents in one process share nothing. Tables are named in capitals and never begin empty."""

    def check(path: Path) -> Iterator[tuple[int, str]]:
        tree = tree_of(path)
        for node in ast.walk(tree):
            if isinstance(node, ast.Global):
                yield node.lineno, f"global {', '.join(node.names)}"
        for statement in tree.body:
            if isinstance(statement, (ast.Assign, ast.AnnAssign)) and is_container(statement.value):
                for name in assigned_names(statement):
                    constant = name.isupper() and not is_empty(statement.value)
                    if not constant and (inside(path), name) not in EXCEPTIONS_TO_STATELESSNESS:
                        yield statement.lineno, f"{name} can change"

    must_be_empty(
        complaints(files("sipstack"), check),
        "Keep state in an object that its user makes; name a constant table in CAPITALS.",
    )


def test_caches_are_known_and_bounded() -> None:
    found = {
        (inside(path), cache.name): cache.size
        for path in files("sipstack")
        for cache in caches(tree_of(path))
    }
    assert found == CACHES, (
        "Write lru_cache(maxsize=NUMBER), keep immutable values only, and give the cache a row in CACHES."
    )


def test_imports_below_net_have_no_circle_but_inside_one_folder() -> None:
    """The imports of a module, those for annotations among them, but not those inside of functions."""
    graph = {
        module_of(path): {found.module for found in imports(path) if not found.in_function}
        for path in files("sipstack")
        if inside(path).startswith(PURE_FILES)
    }
    folders = {module_of(path): path.parent for path in files("sipstack")}
    found = [circle for circle in circles(graph) if len({folders[module] for module in circle}) > 1]
    must_be_empty(
        [" <-> ".join(circle) for circle in found],
        "Move what both need to a module of its own, or describe it with a Protocol where it is used.",
    )


def test_a_dialog_that_a_peer_begins_is_opened_in_one_place() -> None:
    """``begin_dialog`` asks whether there is room for it: no method can forget that."""

    def check(path: Path) -> Iterator[tuple[int, str]]:
        for node in ast.walk(tree_of(path)):
            if not isinstance(node, ast.Attribute) or ast.unparse(node) != "Dialog.as_server":
                continue
            if inside(path) != "core/services.py":
                yield node.lineno, "a dialog that nobody has admitted"

    must_be_empty(complaints(files("sipstack"), check), "Call core.begin_dialog(request, flow, now).")


def assigned_names(statement: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return [name for name in map(ast.unparse, targets) if name != "__all__"]


def is_container(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        return ast.unparse(value.func).split(".")[-1] in CONTAINERS
    return isinstance(value, (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp))


def is_empty(value: ast.expr | None) -> bool:
    """Whether a container begins without content: then it is to be filled."""
    if isinstance(value, ast.Call):
        return not value.args and not value.keywords
    return isinstance(value, ast.Dict) and not value.keys or isinstance(value, ast.List) and not value.elts
