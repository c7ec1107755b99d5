"""Why a test of the incident fails on `buggy`: regular expressions for `fail_to_pass`.

They are searched in the words of the failure, followed by the errors that the test saw, one a
line. So a test can ask for both the symptom and the line that causes it.
"""

import re

from plain_client import PROBLEM

CLOSED = r"101, then close 1011 with reason '' after 0 messages"

_SITE = (
    r"TypeError at netra_ws/routes/websocket_ssot\.py:\d+ in {}: .*\bawait get_websocket_manager\("
)


def raised_in(function: str, symptom: str = "") -> str:
    """Return the reason of a test that meets the superfluous await in this function."""
    return rf"{symptom}[\s\S]*{_SITE.format(re.escape(function))}"


def dies() -> str:
    """Return the reason of a test whose session is let in and then closed."""
    return raised_in("create_websocket_manager_ssot", CLOSED)


def answers_500(path: str, function: str) -> str:
    """Return the reason of a test whose endpoint fails."""
    return raised_in(function, rf"{re.escape(path)}: 500 {re.escape(PROBLEM)}")
