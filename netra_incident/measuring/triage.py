"""Triage: the failures of the case, each made for real, and what it shows beside the others."""

from __future__ import annotations

from netra_incident.case import Case
from netra_incident.history.control import failing_tree
from netra_incident.history.deployment import deploy
from netra_incident.measuring.fingerprint import Fingerprint, fingerprint
from netra_incident.table import Table, tally


class Failures(dict[str, Fingerprint]):
    """What was measured of each failure, by its name in the triage table."""

    def __repr__(self) -> str:
        """Return the measured table; compared from run to run."""
        rows = []
        for name, found in self.items():
            numbers = str(found.handshake), str(found.close_code), str(found.events)
            rows.append((name, *numbers, tally(found.endpoints.values()), found.log_words))
        head = ("failure", "handshake", "close code", "events", "endpoints", "log")
        return repr(Table(head, rows, width=120))

    def differences(self, case: Case) -> list[str]:
        """Return the names of the failures that show something else than the triage table says."""
        expected = {row.name: row.columns for row in case.triage}
        names = expected.keys() | self.keys()
        return sorted(
            name for name in names if name not in self or self[name].columns != expected.get(name)
        )


async def measure_failures(case: Case) -> Failures:
    """Deploy the code of each row of the triage table in turn, and take its fingerprint.

    Raises `ConfigurationError` if a patch of the case does not apply.
    """
    found = Failures()
    for row in case.triage:
        with failing_tree(case, row) as tree, deploy(tree=tree, users=1) as deployment:
            found[row.name] = await fingerprint(deployment)
    return found
