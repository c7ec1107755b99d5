"""What is written about the project is true of it."""

import re
import tomllib
from pathlib import Path

import netra_ws
from netra_ws.incident.case import CASES, load_case

ROOT = Path(__file__).parents[2]


def test_the_import_contract_names_every_module_of_the_backend() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    by_name = {one["name"]: one for one in contracts["contracts"]}
    named = by_name["The backend imports no notebook, figure or incident"]["source_modules"]
    (prevention,) = (name for name in by_name if name.startswith("The prevention wing imports nei"))
    assert set(named) < set(by_name[prevention]["forbidden_modules"])
    package = ROOT / "netra_ws"
    found = {
        f"netra_ws.{path.stem}"
        for path in package.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    wings = {"netra_ws.cli", "netra_ws.incident", "netra_ws.prevention"}
    assert set(named) == found - wings - {"netra_ws.__init__", "netra_ws.__main__"}


def test_the_public_names_are_sorted_and_exist() -> None:
    assert netra_ws.__all__ == sorted(netra_ws.__all__)
    assert all(hasattr(netra_ws, name) for name in netra_ws.__all__)


def test_only_the_case_names_its_incident() -> None:
    number = load_case().id
    for path in sorted((ROOT / "netra_ws").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and CASES not in path.parents:
            assert number not in path.read_text(encoding="utf-8"), path


def test_every_guard_that_is_named_exists() -> None:
    """A docstring that says which test guards it must not lie."""
    named: set[tuple[str, str]] = set()
    for path in sorted((ROOT / "netra_ws").rglob("*.py")):
        words = " ".join(path.read_text(encoding="utf-8").split())
        named |= set(re.findall(r"(tests/\w+/\w+\.py)(?:::(\w+))?", words))
    assert len(named) > 30
    for module, test in sorted(named):
        assert (ROOT / module).is_file(), module
        source = (ROOT / module).read_text(encoding="utf-8")
        assert not test or f"def {test}(" in source, f"{module}::{test}"
