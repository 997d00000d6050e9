"""Owns the system's Chromium for tests and pictures: where it is, how it is started. Must not know a page."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, HttpCredentials, Playwright

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")


def launch(playwright: Playwright) -> Browser:
    """A headless Chromium. Raises FileNotFoundError that says how to get one."""
    return playwright.chromium.launch(
        executable_path=str(chromium()), args=["--disable-dev-shm-usage", "--disable-lcd-text"]
    )


def chromium() -> Path:
    """The browser of this machine."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        raise FileNotFoundError(
            "no Chromium on this machine: run `make setup` as root, or install the package chromium"
        )
    return Path(found)


def signed_in(token: str) -> HttpCredentials:
    """As a person signs in: any name, and the token as the password."""
    return {"username": "anyone", "password": token, "send": "always"}
