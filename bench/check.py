"""How long `setscrew check` takes over a repository of many objects: `python bench/check.py [OBJECTS]`.

A third are Deployments that ask for GPUs, the others GPU classes and what goes with them: DeviceClasses, claim
templates, MIG and device-plugin ConfigMaps, Kueue and KAI queues, quotas. Plain YAML, since renders of charts cost what
Helm costs. Prints wall-clock and CPU seconds (with those of all children) of the best of three runs, and the findings.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

_FILE_OBJECTS = 100
_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: train-{n}, namespace: team-{team}, labels: {{app: train-{n}, kai.scheduler/queue: team-{team}}}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: train-{n}}}}}
  template:
    metadata: {{labels: {{app: train-{n}}}}}
    spec:
      containers:
      - name: train
        image: example.com/train:1.0
        env:
        - {{name: EPOCHS, value: "3"}}
        resources:
          limits: {{nvidia.com/gpu: 1, memory: 8Gi}}
          requests: {{cpu: "2", memory: 8Gi}}
"""
_CLASS = """\
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {{name: class-{n}}}
spec:
  selectors:
  - cel: {{expression: 'device.driver == "gpu.nvidia.com" && device.attributes["gpu.nvidia.com"].type == "gpu"'}}
  extendedResourceName: example.com/class-{n}
"""
_TEMPLATE = """\
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {{name: claim-{n}, namespace: team-{team}}}
spec:
  spec:
    devices:
      requests:
      - name: gpu
        exactly: {{deviceClassName: gpu.nvidia.com, count: 1}}
"""
_MIG = """\
apiVersion: v1
kind: ConfigMap
metadata: {{name: mig-{n}, namespace: gpu-operator}}
data:
  config.yaml: |
    version: v1
    mig-configs:
      all-disabled:
      - {{devices: all, mig-enabled: false}}
      half-{n}:
      - devices: all
        device-filter: ["0x20B010DE"]
        mig-enabled: true
        mig-devices: {{"3g.20gb": 2}}
"""
_SHARING = """\
apiVersion: v1
kind: ConfigMap
metadata: {{name: plugin-{n}, namespace: gpu-operator}}
data:
  default: |
    version: v1
    sharing:
      timeSlicing:
        failRequestsGreaterThanOne: true
        resources:
        - {{name: nvidia.com/gpu, replicas: 4}}
"""
_KUEUE = """\
apiVersion: kueue.x-k8s.io/v1beta2
kind: ResourceFlavor
metadata: {{name: flavor-{n}}}
spec: {{nodeLabels: {{example.com/pool: "{n}"}}}}
---
apiVersion: kueue.x-k8s.io/v1beta2
kind: ClusterQueue
metadata: {{name: queue-{n}}}
spec:
  namespaceSelector: {{}}
  resourceGroups:
  - coveredResources: [cpu, nvidia.com/gpu]
    flavors:
    - name: flavor-{n}
      resources:
      - {{name: cpu, nominalQuota: 8}}
      - {{name: nvidia.com/gpu, nominalQuota: 4}}
"""
_KAI = """\
apiVersion: scheduling.run.ai/v2
kind: Queue
metadata: {{name: kai-{n}}}
spec:
  resources:
    gpu: {{quota: 4, limit: -1, overQuotaWeight: 1}}
    cpu: {{quota: -1, limit: -1, overQuotaWeight: 1}}
    memory: {{quota: -1, limit: -1, overQuotaWeight: 1}}
"""
_QUOTA = """\
apiVersion: v1
kind: ResourceQuota
metadata: {{name: gpus-{n}, namespace: team-{team}}}
spec: {{hard: {{requests.nvidia.com/gpu: "8"}}}}
"""
_TEXTS = (_DEPLOYMENT, _CLASS, _DEPLOYMENT, _TEMPLATE, _DEPLOYMENT, _MIG, _SHARING, _KUEUE, _DEPLOYMENT, _KAI, _QUOTA)


def main(wanted: int) -> None:
    """Write the repository, check it three times, print the best."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        objects = _write(place, wanted)
        found = Counter[str]()
        best = min((_timed(lambda: found.update(_findings(place))) for _ in range(3)), key=lambda one: one[1])
        bytes_ = sum(file.stat().st_size for file in place.iterdir())
    print(f"{objects} objects, {bytes_ / 1e6:.1f} MB: {best[0]:.2f} s wall clock, {best[1]:.2f} s CPU")
    print("findings of three runs:", dict(found) or "none")


def _write(place: Path, wanted: int) -> int:
    texts: list[str] = []
    count = number = 0
    while count < wanted:
        text = _TEXTS[number % len(_TEXTS)].format(n=number, team=number % 20)
        texts.append(text)
        count += 1 + text.count("\n---\n")
        number += 1
    for start in range(0, len(texts), _FILE_OBJECTS):
        (place / f"{start:06}.yaml").write_text("---\n".join(texts[start : start + _FILE_OBJECTS]))
    return count


def _findings(place: Path) -> Counter[str]:
    command = [sys.executable, "-m", "setscrew", "check", str(place), "-o", "json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return Counter(f"{one['rule']} {one['severity']}" for one in json.loads(done.stdout)["findings"])


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.monotonic(), _cpu()
    work()
    return time.monotonic() - wall, _cpu() - cpu


def _cpu() -> float:
    """Seconds of CPU of all children that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
