"""The code reads as we agreed: ruff, mypy --strict, and the floors of the architecture."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


def passes(*command):
    done = subprocess.run([str(BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def tracked_text():
    """Each tracked text file with its content; the licence's own address is none of a registry."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        path = ROOT / name
        if path.suffix not in {".gz", ".png"} and path.is_file():
            yield name, path.read_text(errors="replace")


def test_ruff_finds_nothing():
    passes("ruff", "check", "lib", "jobs", "tests", "deploy", ".ci")


def test_mypy_finds_nothing():
    passes("mypy", "--strict", "lib", "jobs")


def test_imports_run_downward():
    passes("lint-imports")


def test_no_registry_is_named_by_its_address():
    """An address in the repository would defeat the mirror that a company sets up."""
    registries = re.compile(r"\b(pypi|pythonhosted|maven|anaconda|docker|quay|ghcr)\.(org|io|com)\b")
    assert {name: match.group() for name, text in tracked_text() if (match := registries.search(text))} == {}
