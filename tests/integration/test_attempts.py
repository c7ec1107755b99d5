"""The attempts that are no fix: there are as many as there should be, and each is another."""

from __future__ import annotations

from netra_incident.case import told_case
from netra_incident.history.checkout import changed_lines, git
from netra_incident.proof.attempts import injuries, partial_fixes


def test_there_are_fifteen_partial_fixes_and_each_is_another() -> None:
    attempts = partial_fixes(told_case())
    assert len({attempt.name for attempt in attempts}) == len(attempts) == 15
    seen = set()
    for attempt in attempts:
        with attempt.tree() as tree:
            left = changed_lines(tree, "fixed")
            assert left, "it would be the fix"
            seen.add("\n".join(line for line in git("diff", "fixed", cwd=tree).splitlines()))
    assert len(seen) == 15


def test_an_injury_differs_from_the_fix() -> None:
    attempts = injuries(told_case())
    assert len(attempts) >= 4
    for attempt in attempts:
        with attempt.tree() as tree:
            assert changed_lines(tree, "fixed")
