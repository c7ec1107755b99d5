"""Negative controls: trees that are broken on purpose, to see that a check can fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from netra_incident.case import Case, Revision, TriageRow
from netra_incident.history.checkout import GitFailed, git, scratch_checkout
from netra_ws.errors import ConfigurationError

CONTROLS = Path(__file__).parent / "controls"


@contextmanager
def patched_tree(patch: Path, revision: Revision) -> Iterator[Path]:
    """Give a temporary folder with the history at `revision`, changed by `patch`.

    The change is not committed. Raises `ConfigurationError` if the patch is not there
    or no longer applies.
    """
    with scratch_checkout(revision) as folder:
        try:
            git("apply", "--whitespace=nowarn", str(patch.resolve()), cwd=folder)
        except GitFailed as error:
            msg = f"{patch.name} does not apply to {revision.name}: {error}; renew the patch"
            raise ConfigurationError(msg) from error
        yield folder


def leaky_tree(case: Case) -> AbstractContextManager[Path]:
    """Give a temporary folder with `fixed`, but one log for all users.

    A check of isolation that finds nothing on this tree finds nothing at all.
    """
    return patched_tree(CONTROLS / "leak.patch", case.fixed)


def failing_tree(case: Case, row: TriageRow) -> AbstractContextManager[Path]:
    """Give a temporary folder with the code that fails as `row` of the triage table of a case says.

    Raises `ConfigurationError` as `patched_tree` does.
    """
    if row.patch is None:
        return scratch_checkout(case.buggy)
    return patched_tree(case.folder / row.patch, case.fixed)
