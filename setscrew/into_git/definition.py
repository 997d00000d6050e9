"""Owns how a source is rendered on this machine: its definition, from wherever it is kept. Must not render."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from reconciler.cluster.api import ApiClient
from reconciler.cluster.discovery import Discovery
from reconciler.cluster.secrets import read_keys
from reconciler.errors import ClusterError, UsageError
from reconciler.model.own import API_VERSION
from reconciler.render.spec import Capabilities, RenderSpec, parse_render
from reconciler.snapshot.model import SourceState
from reconciler.source.spec import GitSource, parse_source
from setscrew import configuration
from setscrew.adoption import adopted, kept_definitions


def definition(name: str, config_dir: Path | None, state_dir: Path, client: ApiClient) -> GitSource | None:
    """The source of that name: of the directory, of a GitOps tool's definition, of the cluster; None: nowhere.

    Raises UsageError where it cannot be rendered with one repository alone.
    """
    configured = configuration.load(config_dir).sources if config_dir is not None else ()
    found = next((one for one in configured if one.name == name), None) or _adopted(name, state_dir, client)
    found = found or _object(name, client)
    if found is not None and found.beside:
        hint = "change it in Git by hand"
        raise UsageError("its values come from other repositories, too", where=f"source {name}", hint=hint)
    return found


def spec_of(state: SourceState, source: GitSource | None, discovery: Discovery) -> RenderSpec:
    """How the source is rendered; without a definition, as far as the snapshot tells. Raises UsageError."""
    if source is None:
        return RenderSpec(
            release_name=state.release,
            namespace=state.namespace,
            source=state.name,
            revision=state.revision,
            recurse=True,
        ).on(_served(discovery))
    return parse_render(source.render, source=state.name, revision=state.revision).on(_served(discovery))


def _served(discovery: Discovery) -> Capabilities:
    return Capabilities.of(discovery.version, discovery.kinds())


def _adopted(name: str, state_dir: Path, client: ApiClient) -> GitSource | None:
    kept = kept_definitions(state_dir)
    found = adopted(kept, (), partial(read_keys, client)).sources if kept else ()
    return next((one for one in found if one.name == name), None)


def _object(name: str, client: ApiClient) -> GitSource | None:
    try:
        return parse_source(client.request("GET", f"/apis/{API_VERSION}/gitsources/{name}"))
    except (ClusterError, UsageError):  # there is none, or none that can be read: the render is checked anyway
        return None
