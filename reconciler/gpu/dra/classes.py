"""Owns the device classes that drivers and their operators install themselves, and what is known of each. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# From the charts and manifests of the drivers; the driver is what the class's own selector tests.
INSTALLED_BY_DRIVERS: Final[Mapping[str, str]] = {
    "compute-domain-daemon.nvidia.com": "compute-domain.nvidia.com",
    "compute-domain-default-channel.nvidia.com": "compute-domain.nvidia.com",
    "gaudi.intel.com": "gaudi.intel.com",
    "gpu.amd.com": "gpu.amd.com",
    "gpu.example.com": "gpu.example.com",
    "gpu.intel.com": "gpu.intel.com",
    "gpu-vfio.intel.com": "gpu.intel.com",
    "gpu.nvidia.com": "gpu.nvidia.com",
    "mig.nvidia.com": "gpu.nvidia.com",
    "qat.intel.com": "qat.intel.com",
    "vfio.gpu.nvidia.com": "gpu.nvidia.com",
}
"""Device class → driver of its devices. Without a cluster these classes exist."""
