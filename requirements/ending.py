"""How these scripts end: with an exit code, and no traceback for a file or a stream that fails."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

FAILED = 1


def end(main: Callable[[], int]) -> NoReturn:
    """Run `main` and exit with its code; what fails is one line on standard error, and 1."""
    code: str | int | None
    try:
        try:
            code = main()
        except SystemExit as ended:  # argparse has said why
            code = ended.code
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except (OSError, UnicodeError) as error:
        code = FAILED
        with suppress(OSError):
            print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        # Python would fail at the same once more when it exits, with a code of its own.
        for stream in filter(None, (sys.stdout, sys.stderr)):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)
