"""Negative controls: trees that are broken on purpose, to see that a check can fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from netra_incident.case import TriageRow, case_folder
from netra_incident.history.checkout import GitFailed, git, scratch_checkout
from netra_ws.errors import ConfigurationError

CONTROLS = Path(__file__).parent / "controls"


@contextmanager
def patched_tree(patch: Path, revision: str = "fixed") -> Iterator[Path]:
    """Give a temporary folder with the history at `revision`, changed by `patch`.

    The change is not committed. Raises `ConfigurationError` if there is no such revision, or if
    the patch is not there or no longer applies.
    """
    with scratch_checkout(revision) as folder:
        try:
            git("apply", "--whitespace=nowarn", str(patch.resolve()), cwd=folder)
        except GitFailed as error:
            msg = f"{patch.name} does not apply to {revision}: {error}; renew the patch"
            raise ConfigurationError(msg) from error
        yield folder


def leaky_tree() -> AbstractContextManager[Path]:
    """Give a temporary folder with `fixed`, but one log for all users.

    A check of isolation that finds nothing on this tree finds nothing at all.
    """
    return patched_tree(CONTROLS / "leak.patch")


def failing_tree(row: TriageRow) -> AbstractContextManager[Path]:
    """Give a temporary folder with the code that fails as `row` of the triage table says.

    Raises `ConfigurationError` as `patched_tree` does.
    """
    if row.patch is None:
        return scratch_checkout("buggy")
    return patched_tree(case_folder() / row.patch)
