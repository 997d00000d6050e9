"""Owns the values of a chart: where their files are, and Helm's options for them. Must not run Helm.

The order is Helm's and Argo CD's: value files, then values of the source, then its parameters.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from reconciler.errors import RenderError
from reconciler.render import intake
from reconciler.render.parameters import as_option, as_values
from reconciler.render.spec import Parameter, RenderSpec

_SECRET_KEY: Final = re.compile(r"pass|token|secret|key|credential", re.IGNORECASE)
_ROW: Final = re.compile(r"^[\s-]*([\w.-]+)\s*:\s*[\"']?([^\"'\n]+)", re.MULTILINE)
_SHORTEST_SECRET: Final = 4


@dataclass(frozen=True, slots=True)
class Places:
    """Where files of values are: the chart in `directory`, its source in `root`, repositories `beside` it by name."""

    directory: Path
    root: Path
    beside: Mapping[str, Path]

    def find(self, name: str) -> tuple[Path, Path]:
        """A file, and what it must stay in. Only an absolute one, which a person named, may lie outside the source.

        Raises RenderError for a repository that is not there.
        """
        if name.startswith("/"):
            return Path(name), Path(Path(name).anchor)
        if name.startswith("$"):
            called, _, path = name[1:].partition("/")
            if called not in self.beside:
                raise RenderError(f"no repository beside the source is called {called!r}", where=name, code="SS3004")
            return self.beside[called] / path, self.beside[called]
        return self.directory / name, self.root

    def outside(self, spec: RenderSpec) -> tuple[str, ...]:
        """What is read of the source outside the chart, as places below the root."""
        names = [*spec.value_files, *(one.value for one in spec.parameters if one.from_file)]
        local = (name for name in names if not name.startswith(("$", "/")))
        return tuple(intake.beyond(self.directory, self.root, local))


def options(places: Places, spec: RenderSpec, home: Path) -> list[str]:
    """Helm's options for all values, with the files that they name written into `home`. Raises RenderError."""
    files = [*_value_files(places, spec, home)]
    files += [_written(home / f"given-{number}.yaml", text) for number, text in enumerate(spec.flux.values)]
    if spec.values_text:
        files.append(_written(home / "values-text.yaml", spec.values_text))
    if spec.values:
        files.append(_written(home / "values.json", json.dumps(spec.values)))
    tree, rest = as_values(_with_texts(places, spec))
    if tree:
        files.append(_written(home / "parameters.json", json.dumps(tree)))
    return [*(f"--values={file}" for file in files), *(as_option(_with_file(_hidden(one, spec), home)) for one in rest)]


def secrets(spec: RenderSpec) -> Iterator[str]:
    """Texts among the values whose keys sound secret: they must not come back in a message."""
    yield from spec.flux.secrets
    yield from _secrets(spec.values)
    yield from _secrets({one.name: one.value for one in spec.parameters if not one.from_file})
    yield from _secrets({match[1]: match[2].strip() for match in _ROW.finditer(spec.values_text)})


def _value_files(places: Places, spec: RenderSpec, home: Path) -> Iterator[Path]:
    for number, name in enumerate(spec.value_files):
        file, bounds = places.find(name)
        if file.exists() or not spec.ignore_missing_value_files:
            into = home / f"values-{number}.yaml"
            into.write_bytes(intake.read(file, bounds))
            yield into


def _with_texts(places: Places, spec: RenderSpec) -> Iterator[Parameter]:
    """The parameters, with the text of a file in place of its name."""
    for one in spec.parameters:
        if not one.from_file:
            yield one
            continue
        text = intake.read(*places.find(one.value))
        yield replace(one, value=text.decode("utf-8", "replace"))


def _hidden(parameter: Parameter, spec: RenderSpec) -> Parameter:
    """A parameter from a Secret by file: a command line can be read by anybody."""
    return replace(parameter, from_file=True) if parameter.value in spec.flux.secrets else parameter


def _with_file(parameter: Parameter, home: Path) -> Parameter:
    """A parameter from a file that only Helm can place: its text in a file again."""
    if not parameter.from_file:
        return parameter
    with tempfile.NamedTemporaryFile("w", dir=home, encoding="utf-8", delete=False) as stream:
        stream.write(parameter.value)
    return replace(parameter, value=stream.name)


def _written(file: Path, text: str) -> Path:
    file.write_text(text, "utf-8")
    return file


def _secrets(values: Any, *, secret: bool = False) -> Iterator[str]:
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _secrets(value, secret=secret or bool(_SECRET_KEY.search(str(key))))
    elif isinstance(values, list):
        for value in values:
            yield from _secrets(value, secret=secret)
    elif secret and isinstance(values, str) and len(values) >= _SHORTEST_SECRET:
        yield values
