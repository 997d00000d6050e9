"""Owns what hostile YAML and JSON is made of, and what must hold of its reading: objects, or an error with its place.

The loader runs in a child of the product too; here that child is the fuzzer's own, so that one that dies is a finding.
What the product's parent makes of the child's lines is done here as well.
"""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from reconciler.errors import RenderError
from reconciler.render.child import answer, row
from reconciler.render.objects import Collector
from reconciler.render.parsing import decode
from reconciler.render.spec import RenderSpec
from tests.fuzz import mutations
from tests.support import decisions, loader_cases

_TOKENS: Final = (
    b"- ", b": ", b"? ", b"\n", b"\n  ", b"\t", b"---\n", b"...\n", b"{", b"}", b"[", b"]", b",", b"#", b"&a ", b"*a",
    b"!!str ", b"!!binary ", b"!<tag:x> ", b"|\n", b">-\n", b"'", b'"', b"<<: *a\n", b"%YAML 1.1\n", b"%TAG ! !x\n",
    b"\xef\xbb\xbf", b"\x00", b"\x85", b"\xe2\x80\xa8", b"\xff", b"\xc3", b"~", b"null", b"0o17", b"0x1F", b"1_000",
    b".inf", b"2001-01-01", b"yes", b"1e999", b"\\ud800", b"\\x00", b"kind: List\n", b"items:\n", b"apiVersion: v1\n",
    b"\r\n", b"\r",
)  # fmt: skip
_BOMBS: Final = (
    b"[", b"{a: ", b"- ", b"? ", b"- - ", b"&a [*a,", b"!!seq [", b'{"a":', b"\n" + b" " * 40, b"'", b"|\n ", b"*a ",
    b"a: &a\n",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Input:
    """One text, and the case that it was made of."""

    name: str
    body: bytes


@cache
def _seeds() -> list[Input]:
    found = [Input(one.name, one.text.encode("utf-8", "surrogatepass")) for one in loader_cases.streams()]
    found += [Input(one.text[:40], one.document) for one in loader_cases.values()]
    trees = [tree for name in ("web", "config", "crd") for tree in decisions.manifests(name)]
    found += [Input("manifest", msgspec.yaml.encode(tree)) for tree in trees] * 40
    return found + [Input("manifest in JSON", msgspec.json.encode(tree)) for tree in trees] * 20


def make(number: str, pool: list[Any]) -> Input:
    """The input of that number."""
    chance = random.Random(number)  # noqa: S311 - the same numbers for the same seed are what is wanted
    one = chance.choice(_seeds())
    body = one.body
    for _ in range(chance.choice((1, 1, 2, 4))):
        body = chance.choice((_token, _token, _value, _splice, _cut, _noise, _bomb, _manifest))(body, chance, pool)
    return Input(one.name, body)


def _manifest(_: bytes, chance: random.Random, pool: list[Any]) -> bytes:
    """An object with other values in it, whatever was there before."""
    tree = msgspec.json.decode(chance.choice([one for one in _seeds() if one.name == "manifest in JSON"]).body)
    return mutations.dumped(mutations.mutated(tree, chance, pool))


def _at(body: bytes, chance: random.Random) -> int:
    return chance.randrange(len(body) + 1)


def _token(body: bytes, chance: random.Random, _: list[Any]) -> bytes:
    place = _at(body, chance)
    return body[:place] + chance.choice(_TOKENS) * chance.choice((1, 1, 1, 2, 30)) + body[place:]


def _value(body: bytes, chance: random.Random, pool: list[Any]) -> bytes:
    place = _at(body, chance)
    return body[:place] + mutations.dumped(chance.choice(pool)) + body[place + chance.choice((0, 1, 5)) :]


def _splice(body: bytes, chance: random.Random, _: list[Any]) -> bytes:
    other = chance.choice(_seeds()).body
    return body[: _at(body, chance)] + other[_at(other, chance) :]


def _cut(body: bytes, chance: random.Random, _: list[Any]) -> bytes:
    begin, end = sorted((_at(body, chance), _at(body, chance)))
    return chance.choice((body[:begin], body[:begin] + body[end:], body + body[begin:end]))


def _noise(body: bytes, chance: random.Random, _: list[Any]) -> bytes:
    place = _at(body, chance)
    return body[:place] + chance.randbytes(chance.choice((1, 1, 3))) + body[place + 1 :]


def _bomb(body: bytes, chance: random.Random, _: list[Any]) -> bytes:
    """Much of something, mostly a little more than is allowed, seldom enough to kill a careless parser."""
    times = chance.choice((3, 99, 101, 150, 300)) if chance.random() < 0.98 else chance.choice((2_000, 40_000))
    place = _at(body, chance)
    return body[:place] + chance.choice(_BOMBS) * times + body[place:]


def finding(one: Input) -> str:
    """What is wrong with what is made of this input, or ""."""
    try:
        lines = [decode(row(line)) for line in answer(_job(one.body))]
        taken = Collector(RenderSpec(), "yaml")
        taken.take(lines)
        refs = [found.ref for found in taken.objects]
    except RenderError as error:
        fine = error.code.startswith("SS30") and "fuzz.yaml" in error.where and len(str(error)) < 2_000
        return "" if fine else f"an error without code or place: {error}"
    except Exception as error:  # noqa: BLE001 - whatever is raised is the finding
        return f"raised {error!r}"
    return "one object twice" if len(set(refs)) < len(refs) else ""


def _job(body: bytes) -> dict[str, Any]:
    """What the product's child is asked for this text."""
    file = Path(_place().name) / "fuzz.yaml"
    file.write_bytes(body)
    files = [{"path": str(file), "name": "fuzz.yaml"}]
    return {"job": "parse", "files": files, "comments": True, "origins": None}


@cache
def _place() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="setscrew-fuzz-")


def show(one: Input) -> str:
    """The input, for people."""
    return f"{one.name}\n\n{one.body!r}"
