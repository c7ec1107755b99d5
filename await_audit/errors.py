"""What the audit and the fix say when they cannot do what they were asked."""

from __future__ import annotations


class AuditError(Exception):
    """Raised when there is nothing to judge with, or nothing to judge: exit code 2."""

    exit_code = 2
