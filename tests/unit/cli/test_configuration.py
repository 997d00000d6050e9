"""Documents of a person's configuration directory: what is wrong is named with its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import UsageError
from setscrew import configuration
from setscrew.receivers import documents_in
from tests.unit.cli.conftest import Run, Write
from webhook.registration.client import UrlClient

SOURCE = """\
apiVersion: setscrew.dev/v1alpha1
kind: GitSource
metadata: {name: shop}
spec: {url: "https://git.example.com/shop.git"}
"""


def test_sources_are_found_below_the_directory(write: Write, tmp_path: Path) -> None:
    write("conf/deep/shop.yml", SOURCE)
    assert [source.name for source in configuration.load(tmp_path / "conf").sources] == ["shop"]


def test_each_file_of_a_mounted_volume_counts_once(tmp_path: Path) -> None:
    """As the kubelet lays out a ConfigMap: files in a directory of their own, and two steps of links to them."""
    real = tmp_path / "..2026_11_22_04_30_00.123456789"
    real.mkdir()
    (real / "shop.yaml").write_text(SOURCE)
    (tmp_path / "..data").symlink_to(real.name)
    (tmp_path / "shop.yaml").symlink_to("..data/shop.yaml")
    assert [source.name for source in configuration.load(tmp_path).sources] == ["shop"]
    # Receivers, readers and hosts are looked for in the same directory.
    assert [document["kind"] for document in documents_in(tmp_path)] == ["GitSource"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1\n", r"one\.yaml:\d+: not YAML"),
        ("[" * 50_000, r"one\.yaml: not YAML: nested too deeply"),
        ("- 1\n", r"one\.yaml: every document must be a mapping"),
        ("kind: Nonsense\n", r"one\.yaml: unknown kind 'Nonsense' \(known: DriftPolicy"),
        (SOURCE + "---\n" + SOURCE, r"conf: GitSource 'shop' is defined twice"),
        (SOURCE.replace("{url:", "{verify: {}, url:"), r"one\.yaml: .*verify"),
        (SOURCE.replace("name: shop", "name: Shop!"), r"one\.yaml: .*name"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(write: Write, text: str, words: str) -> None:
    directory = write("conf/one.yaml", text).parent
    with pytest.raises(UsageError, match=words):
        configuration.load(directory)


def test_a_wrong_receiver_is_told_before_anything_starts(run: Run, write: Write, tmp_path: Path) -> None:
    receiver = "apiVersion: setscrew.dev/v1alpha1\nkind: Receiver\nmetadata: {name: deploy}\n"
    directory = write(
        "conf/deep/one.yaml", receiver + "spec: {provider: github, secretFile: /nowhere, sources: ['*']}\n"
    )
    result = run("run", "--state", tmp_path / "state", "--config", directory.parent.parent)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Receiver/deploy: cannot read /nowhere" in result.stderr


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://127.0.0.1:8443", "127.0.0.1"),
        ("https://guard.example.com", "guard.example.com"),
        ("https://[::1]:8443/x", "::1"),
        ("", "127.0.0.1"),
    ],
)
def test_the_certificate_names_the_host_of_the_webhook(url: str, host: str) -> None:
    assert UrlClient(url).names[0] == host
