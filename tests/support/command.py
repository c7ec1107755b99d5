"""The command line, run in this process: its words and exit codes without the start of another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path

import pytest
from click.testing import CliRunner
from processes import clean_environment

from netra_incident.cli import main


def in_process(
    *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a netra-ws command to its end as `processes.netra_ws` does, but here."""
    command = ["netra-ws", *map(str, arguments)]
    unset = dict.fromkeys(os.environ.keys() - clean_environment().keys())
    before = signal.getsignal(signal.SIGTERM)
    with (
        chdir(cwd),
        CliRunner().isolation(env={**unset, **(env or {})}) as (stdout, stderr, _),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(sys, "argv", command)
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            signal.signal(signal.SIGTERM, before)
        sys.stdout.flush()
        said = [stream.getvalue().decode() for stream in (stdout, stderr)]
    code = ended.value.code or 0  # `sys.exit(None)` is success
    assert isinstance(code, int)
    return subprocess.CompletedProcess(command, code, *said)
