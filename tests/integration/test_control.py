"""The patches that break the package on purpose: they apply, and change what they are meant to."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from netra_incident.case import told_case
from netra_incident.history.checkout import git
from netra_incident.history.control import CONTROLS, failing_tree, leaky_tree, patched_tree
from netra_ws.errors import ConfigurationError

CASE = told_case()
INJURIES = {path.stem: path for path in sorted((CASE.folder / "injuries").iterdir())}
PATCHES = [
    *sorted(CONTROLS.iterdir()),
    *INJURIES.values(),
    *sorted((CASE.folder / "fingerprints").iterdir()),
]
AWAITED = "await get_websocket_manager("


def changed_files(tree: Path) -> list[tuple[str, str]]:
    """Return how each file of a checkout was changed, and its name."""
    return [(line[:2], line[3:]) for line in git("status", "--porcelain", cwd=tree).splitlines()]


@pytest.mark.parametrize("patch", PATCHES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_patch_applies_to_the_package_and_changes_the_backend_alone(patch: Path) -> None:
    with patched_tree(patch, CASE.fixed) as tree:
        changed = changed_files(tree)
        assert changed
        for how, name in changed:
            assert how == " M"
            assert name.startswith("netra_ws/")
            compile((tree / name).read_bytes(), name, "exec", dont_inherit=True)
    assert not tree.exists()


def test_no_injury_is_missing() -> None:
    assert set(INJURIES) == {
        "colour-flip",
        "helper-variable",
        "swallowed-error",
        "swallowed-in-health",
        "wait-for",
    }


@pytest.mark.parametrize("name", ["colour-flip", "helper-variable", "wait-for"])
def test_an_injury_is_not_found_by_its_text(name: str) -> None:
    with patched_tree(INJURIES[name], CASE.fixed) as tree:
        assert not [path for path in tree.rglob("routes/*.py") if AWAITED in path.read_text()]


def test_the_injury_that_swallows_has_every_await_back() -> None:
    with patched_tree(INJURIES["swallowed-error"], CASE.fixed) as tree:
        routes = tree / "netra_ws" / "routes" / "websocket_ssot.py"
        fixed, buggy = (
            git("show", f"{revision}:netra_ws/routes/websocket_ssot.py", cwd=tree)
            for revision in ("fixed", "buggy")
        )
        assert routes.read_text().count(AWAITED) == buggy.count(AWAITED)
        assert AWAITED not in fixed


def test_the_leaky_tree_differs_in_the_log_alone() -> None:
    with leaky_tree(told_case()) as tree:
        assert changed_files(tree) == [(" M", "netra_ws/event_log/memory.py")]


def test_a_patch_can_be_applied_to_another_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("again.patch").write_bytes((CASE.folder / "cause.patch").read_bytes())
    with patched_tree(Path("again.patch"), CASE.before) as tree:
        assert git("diff", "before", "--name-only", cwd=tree) == "netra_ws/manager.py\n"
        assert git("diff", "buggy", "--", "netra_ws", cwd=tree) == ""


LEAK = (CONTROLS / "leak.patch").read_text()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("stale.patch", LEAK.replace("def user(", "def owner(")),
        ("empty.patch", ""),
        ("no.patch", None),
    ],
    ids=["stale", "empty", "missing"],
)
def test_a_patch_that_does_not_apply_is_named(
    name: str, text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    if text is not None:
        (tmp_path / name).write_text(text)
    with (
        pytest.raises(ConfigurationError, match=rf"^{name} does not apply to fixed: .*; renew"),
        patched_tree(tmp_path / name, CASE.fixed),
    ):
        pytest.fail("the tree was given")
    assert list(scratch.iterdir()) == []


# The triage table


def test_every_way_to_fail_has_its_patch_and_every_patch_its_row() -> None:
    named = [row.patch for row in CASE.fingerprints if row.patch is not None]
    there = [
        path.relative_to(CASE.folder).as_posix()
        for path in (CASE.folder / "fingerprints").iterdir()
    ]
    assert sorted(named) == sorted(there)


def test_a_row_without_a_patch_is_the_broken_revision() -> None:
    (row,) = (row for row in CASE.fingerprints if row.patch is None)
    with failing_tree(CASE, row) as tree:
        assert git("rev-parse", "HEAD", cwd=tree) == git("rev-parse", "buggy", cwd=tree)
        assert changed_files(tree) == []


def test_the_table_is_the_same_in_text_and_in_markdown() -> None:
    table = CASE.fingerprints
    head, rule, *lines = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in table._repr_markdown_().splitlines()
    ]
    assert head == list(table.HEAD)
    assert set(rule) == {"---"}
    assert lines == [list(row.cells) for row in table]
    plain = repr(table).splitlines()
    assert len(plain) == 1 + len(table)
    for line, cells in zip(plain, [table.HEAD, *(row.cells for row in table)], strict=True):
        assert [cell.strip() for cell in line.split("  ") if cell] == list(cells)
