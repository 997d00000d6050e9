"""Owns asking the real kubectl, and our loader, what they read in YAML: thousands of documents in one call."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from reconciler.errors import RenderError
from reconciler.render.child import answer
from reconciler.render.objects import Collector
from reconciler.render.spec import RenderSpec

# `create --dry-run=client` reads files by the same code but asks a server for kinds; `annotate --local` does not.
_COMMAND = ("annotate", "--local", "-o", "json", "asked=yes")


def header(name: str) -> bytes:
    """The first lines of a document that kubectl takes for an object, of a kind that no client has types for."""
    return f'apiVersion: v1\nkind: Table\nmetadata: {{name: "{name}"}}\n'.encode()


def kubectl_objects(kubectl: Path, stream: bytes) -> list[Any] | None:
    """The objects of one stream; None where kubectl refuses it."""
    done = _ask(kubectl, ["-f", "-"], stream)
    return None if done.returncode else [_plain(tree) for tree in _values(done.stdout)]


def kubectl_trees(kubectl: Path, documents: Sequence[bytes]) -> list[Any]:
    """What kubectl makes of each document that is put under a `header`; None for those that it refuses."""
    with tempfile.TemporaryDirectory() as directory:
        for number, document in enumerate(documents):
            (Path(directory) / f"{number}.yaml").write_bytes(header(f"n{number}") + document)
        done = _ask(kubectl, ["-f", directory])
    found = {tree["metadata"]["name"]: _plain(tree) for tree in _values(done.stdout)}
    return [found.get(f"n{number}") for number in range(len(documents))]


def our_objects(stream: bytes) -> list[Any] | None:
    """What the loader and the render child make of one stream; None where it is refused."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "f.yaml"
        path.write_bytes(stream)
        job = {"job": "parse", "files": [{"path": str(path), "name": "f.yaml"}], "comments": False, "origins": None}
        collector = Collector(RenderSpec(), "yaml")
        try:
            collector.take(answer(job))
        except RenderError:
            return None
    return [found.tree for found in collector.objects]


def _ask(kubectl: Path, files: list[str], stream: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {"KUBECONFIG": "/dev/null"}
    command = [str(kubectl), *_COMMAND, *files]
    return subprocess.run(command, input=stream, capture_output=True, check=False, env=environment)


def _values(output: bytes) -> Iterator[Any]:
    text, position, decoder = output.decode(), 0, json.JSONDecoder()
    while rest := text[position:].lstrip():
        tree, length = decoder.raw_decode(rest)
        position = len(text) - len(rest) + length
        yield tree


def _plain(tree: Any) -> Any:
    """The object without what the command has put into it."""
    metadata = tree["metadata"]
    del metadata["annotations"]["asked"]
    if not metadata["annotations"]:
        del metadata["annotations"]
    return tree
