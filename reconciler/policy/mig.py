"""Owns MIG profiles by GPU model as values: they travel in the snapshot, as rules do. Must not read or judge."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MigProfile:
    """One profile of one model. `starts`: memory slices where an instance may begin; it takes `memory_slices`."""

    name: str
    compute_slices: int
    memory_slices: int
    max_count: int
    starts: tuple[int, ...]
    resource: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MigModel:
    """One GPU model. `pci_ids` are numbers (device << 16 | vendor, as the table spells them)."""

    name: str
    pci_ids: tuple[int, ...]
    product_pattern: str
    compute_slices: int
    memory_slices: int
    max_instances: int
    max_media_extensions: int
    profiles: tuple[MigProfile, ...]
    uncertain: bool = False

    def profile(self, name: str) -> MigProfile | None:
        """The profile of that name or second name."""
        return next((one for one in self.profiles if name == one.name or name in one.aliases), None)
