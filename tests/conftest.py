"""Owns which fixtures every test can ask for; must not hold fixtures itself."""

from __future__ import annotations

pytest_plugins = ["tests.support.controlplane"]
