"""Owns the order in which files of tests are handed to workers, and to which; must not choose which of them run."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

ORDER: Final = Path(__file__).parents[1] / "order.txt"
OTHERS: Final = "..."
# No more control planes than that at a time: workers beyond it take files that need none.
CONTROL_PLANES: Final = 2
_WITHOUT: Final = ("tests/unit/", "tests/property/")


def ranks(text: str) -> dict[str, int]:
    """The place of each file that the order names, and of OTHERS: all that it does not."""
    lines = [line.strip() for line in text.splitlines()]
    return {line: place for place, line in enumerate(line for line in lines if line and not line.startswith("#"))}


class InOrder(LoadFileScheduling):  # type: ignore[misc] # xdist is not typed
    """Files in the order of their collection; while some workers wait for clusters, others use the time."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        if int(node.gateway.id.removeprefix("gw")) >= CONTROL_PLANES:
            file = next((file for file in self.workqueue if file.startswith(_WITHOUT)), None)
            if file is None:
                node.shutdown()  # once it has done what it has
                return
            self.workqueue.move_to_end(file, last=False)
        super()._assign_work_unit(node)
