"""SARIF before the validator of those who wrote the format."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import leash
import pytest
from processes import COMMAND, clean_environment

VALIDATOR = "@microsoft/sarif-multitool-linux@5.7.0"
PROGRAM = "node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool"

pytestmark = pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm, for the validator")


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("validator")
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", VALIDATOR]
    done = leash.run(command, cwd=folder)
    assert done.returncode == 0, done.stderr
    program = folder / PROGRAM
    program.chmod(0o755)
    return program


def judged(validator: Path, text: str, folder: Path) -> str:
    """Return the errors and warnings that the validator has."""
    file = folder / "audit.sarif"
    file.write_text(text)
    env = {**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}
    done = leash.run([validator, "validate", file], cwd=folder, env=env)
    assert "Analysis completed successfully" in done.stdout, done.stdout + done.stderr
    return "\n".join(line for line in done.stdout.splitlines() if ": error " in line)


def audited(*arguments: str, cwd: Path) -> str:
    command = [*COMMAND, "audit", "--output-format", "sarif", *arguments]
    done = leash.run(command, cwd=cwd, env=clean_environment())
    assert done.returncode in {0, 1, 2}, done.stderr
    return done.stdout


def test_findings_and_what_was_not_judged_are_valid(validator: Path, tmp_path: Path) -> None:
    made = "import nowhere\n\n\ndef make():\n    return 1\n\n\n"
    (tmp_path / "a b:ü.py").write_text(made + "async def f():\n    await make()\n    f()\n")
    (tmp_path / "a\udcffb.py").write_text("def f(:\n")
    text = audited(".", cwd=tmp_path)
    assert len(json.loads(text)["runs"][0]["results"]) == 2
    assert judged(validator, text, tmp_path) == ""


def test_callers_left_behind_are_valid(validator: Path, tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        names = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *names, *arguments], cwd=tmp_path, check=True, timeout=60)

    (tmp_path / "tools.py").write_text("async def make():\n    return 1\n")
    (tmp_path / "app.py").write_text(
        "from tools import make\n\n\nasync def f():\n    await make()\n"
    )
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "before")
    (tmp_path / "tools.py").write_text("def make():\n    return 1\n")
    text = audited("--since", "HEAD", ".", cwd=tmp_path)
    (one,) = json.loads(text)["runs"][0]["results"]
    assert one["ruleId"] == "await-sync/colour-drift"
    assert judged(validator, text, tmp_path) == ""


def test_the_validator_says_what_is_wrong(validator: Path, tmp_path: Path) -> None:
    (tmp_path / "app.py").touch()
    broken = json.loads(audited(".", cwd=tmp_path))
    broken["runs"][0]["results"] = [{"ruleId": "x"}]
    assert "message" in judged(validator, json.dumps(broken), tmp_path)
