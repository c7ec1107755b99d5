"""What is written about the project is true of it."""

import re
from pathlib import Path

import pytest
from packages import sources

import netra_ws
from netra_incident.case import CASES, told_case
from netra_incident.cli import COMMANDS
from netra_ws.errors import CloseCode
from netra_ws.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = ("README.md", "CHANGELOG.md", "runbook.md")


def test_the_public_names_are_sorted_and_exist() -> None:
    assert netra_ws.__all__ == sorted(netra_ws.__all__)
    assert all(hasattr(netra_ws, name) for name in netra_ws.__all__)


@pytest.mark.parametrize("code", list(CloseCode), ids=lambda code: str(int(code)))
def test_the_readme_explains_every_close_code(code: CloseCode) -> None:
    assert f"| {int(code)} | {code.meaning} |" in README


def test_the_readme_quotes_the_limits_as_they_are() -> None:
    limits = Settings()
    kib, mib = 1024, 1024 * 1024
    for words in (
        f"{limits.retained_events} events and {limits.retained_bytes // mib} MiB a user",
        f"{limits.retained_bytes_total // mib} MiB of all users",
        f"{limits.idle_log_s / 3600:g} h after the user was last there",
        f"{limits.run_timeout_s:g} s; stopped, {limits.stop_timeout_s:g} s",
        f"{limits.write_high_water_bytes // kib} KiB unsent for {limits.write_timeout_s:g} s",
        f"{limits.retained_events} events behind",
        f"messages of {limits.max_message_bytes // kib} KiB",
        f"{limits.max_messages_per_s:g} messages and {limits.max_pings_per_s:g} pings a second",
        f"on average over {limits.rate_window_s:g} s",
        f"{limits.max_runs_per_user} runs and {limits.max_connections_per_user} connections a user",
        f"{limits.max_connections:,} connections",
        f"{limits.max_pending_connections:,} that are no WebSocket connection",
        f"a handshake within {limits.open_timeout_s:g} s",
        f"a byte within {limits.ping_timeout_s:g} s of a ping, sent after "
        f"{limits.ping_interval_s:g} s of silence",
        f"made for {limits.token_lifetime_s / 60:g} min at most, clocks "
        f"{limits.token_leeway_s:g} s apart",
        f"{limits.max_failed_logins} failed logins a minute",
        f"{limits.drain_timeout_s:g} s (`drain_timeout_s`), and 1 s until the process has gone",
    ):
        assert words in README, words
    assert limits.failed_login_window_s == 60


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert target.startswith("https://") or (ROOT / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_that_is_named_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in re.findall(r"netra-ws ([a-z-]+)", text):
        assert name in COMMANDS, name
    for target in re.findall(r"`make ([a-z]+)`|^make ([a-z]+)", text, re.MULTILINE):
        assert re.search(rf"^{''.join(target)}:", makefile, re.MULTILINE), target


def test_the_readme_lists_every_notebook() -> None:
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"(notebooks/{path.name})" in README


def test_only_the_case_names_its_incident() -> None:
    number = told_case().id
    for path in sources():
        if CASES not in path.parents:
            assert number not in path.read_text(encoding="utf-8"), path


def test_every_guard_that_is_named_exists() -> None:
    """A docstring that says which test guards it must not lie."""
    named: set[tuple[str, str]] = set()
    for path in sources():
        words = " ".join(path.read_text(encoding="utf-8").split())
        named |= set(re.findall(r"(tests/\w+/\w+\.py)(?:::(\w+))?", words))
    assert len(named) > 30
    for module, test in sorted(named):
        assert (ROOT / module).is_file(), module
        source = (ROOT / module).read_text(encoding="utf-8")
        assert not test or f"def {test}(" in source, f"{module}::{test}"
