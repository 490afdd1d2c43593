"""The same input gives the same bytes, in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
from engine.observed import ObservedState
from engine.planner import plan
from engine.resources import canonical_json, digest
from tests.engine.drawings import OWNER, draw
from benchmarks.plan import drawing

text = drawing(90) + '''
x-escale:
  placement: SPREAD
  machine: {max_memory: 4GiB}
  defaults: {memory: 700m}
  machines: {edge: {count: 5, cpus: 16, memory: 64GiB}, bastion: {cluster: edge}, far: {datastore: nfs}}
'''
more = "deploy: {replicas: 3}\\n    volumes: [./a:/a, ./b:/b]\\n    x-escale: {machine: edge}"
text = text.replace("image: nginx:1.27", "image: nginx:1.27\\n    " + more)
made = plan(draw(text), ObservedState(), {}, OWNER, "paris")
assert made.requirements.machines > 10
print(digest(canonical_json(made.to_json())))
"""


def test_every_process_makes_the_same_plan() -> None:
    root = Path(__file__).parents[2]
    printed = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "12345")
    }
    assert len(printed) == 1
