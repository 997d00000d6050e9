"""A target of the fuzzer with inputs that do what none should: fail, kill their process, end it, never come back."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Input:
    """A number."""

    name: str
    count: int


def make(number: str, _pool: list[Any]) -> Input:
    return Input("deadly", int(number.split("-")[2]))


def finding(one: Input) -> str:
    if one.count == 13:
        os.kill(os.getpid(), signal.SIGSEGV)
    if one.count == 21:
        sys.exit(1)
    if one.count == 34:
        time.sleep(3600)
    return "raised what it should not" if one.count in {5, 55} else ""


def show(one: Input) -> str:
    return str(one.count)
