"""Imports that may fail: which they are, and that they are counted and make nothing not judged."""

import sys
from pathlib import Path

import pytest
from command import in_process

from await_audit.audit import audit
from await_audit.checks.guarded import guarded_imports

GUARDED = {
    "try": "try:\n import x\nexcept ImportError:\n x = None\n",
    "not found": "try:\n import x\nexcept ModuleNotFoundError:\n pass\n",
    "one of several": "try:\n import x\nexcept (AttributeError, ImportError) as e:\n pass\n",
    "by its module": "import builtins\ntry:\n import x\nexcept builtins.ImportError: pass\n",
    "a group": "try:\n import x\nexcept* ImportError:\n pass\n",
    "what stands in": "try:\n import json\nexcept ImportError:\n import x\n",
    "what comes after": "try:\n import json\nexcept ImportError:\n pass\nelse:\n import x\n",
    "anything": "try:\n import x\nexcept Exception:\n x = None\n",
    "everything": "try:\n import x\nexcept:\n x = None\n",
    "suppressed": "import contextlib\nwith contextlib.suppress(ImportError):\n import x\n",
    "suppressed by another name": (
        "from contextlib import suppress as without\nwith without(ImportError):\n import x\n"
    ),
    "version": "import sys\nif sys.version_info >= (3, 8):\n import x\n",
    "version, otherwise": "import sys\nif sys.version_info < (3, 8):\n pass\nelse:\n import x\n",
    "version, in between": (
        "from sys import version_info as v\nif v < (3,):\n pass\nelif v > (3, 1):\n import x\n"
    ),
    "version of a library": "import y\nif y.__version__ > '2':\n import x\n",
    "platform": "import sys\nif sys.platform == 'linux':\n import x\n",
    "platform by os": "import os\nif os.name != 'nt':\n import x\n",
    "platform by its module": "import platform\nif platform.system() == 'Linux':\n import x\n",
    "platform, matched": "import sys\nmatch sys.platform:\n case 'linux':\n  import x\n",
    "types": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n import x\n",
    "types, otherwise": "import typing as t\nif not t.TYPE_CHECKING:\n pass\nelse:\n import x\n",
    "found": "import importlib.util\nif importlib.util.find_spec('x'):\n import x\n",
    "found, short": "from importlib.util import find_spec as f\nif f('x') is not None: import x\n",
    "a name of a version": "import sys\nNEW = sys.version_info > (3, 8)\nif NEW:\n import x\n",
    "a name beside an import": (
        "try:\n import json\n HAS = True\nexcept ImportError:\n HAS = False\nif HAS:\n import x\n"
    ),
    "an import as a name": (
        "try:\n import json\nexcept ImportError:\n json = None\nif json is not None:\n import x\n"
    ),
    "in a function": "def f():\n try:\n  import x\n except ImportError:\n  raise\n",
    "a function of a branch": "import sys\nif sys.platform == 'linux':\n def f(): import x\n",
    "in a class": "class A:\n try:\n  import x\n except ImportError:\n  x = None\n",
    "further in": "try:\n if True:\n  for _ in 'a':\n   import x\nexcept ImportError: pass\n",
}

NOT_GUARDED = {
    "plain": "import x\n",
    "another error": "try:\n import x\nexcept ValueError:\n pass\n",
    "no error": "try:\n import x\nfinally:\n pass\n",
    "anything, among more": "try:\n import x\n x.run()\nexcept Exception:\n pass\n",
    "at the end": "try:\n import json\nexcept ImportError:\n pass\nfinally:\n import x\n",
    "later": "try:\n def f():\n  import x\nexcept ImportError:\n pass\n",
    "another error suppressed": (
        "import contextlib\nwith contextlib.suppress(KeyError):\n import x\n"
    ),
    "a context": "import y\nwith y.open(ImportError):\n import x\n",
    "a branch": "import y\nif y.ready:\n import x\n",
    "a variable named so": "def f(platform):\n if platform:\n  import x\n",
    "at run time": "import typing\nif typing.TYPE_CHECKING:\n pass\nelse:\n import x\n",
    "behind a branch": "import sys\nif sys.version_info < (3, 8):\n raise OSError\nimport x\n",
    "the main module": "if __name__ == '__main__':\n import x\n",
    "no Python": "try:\n import x\nexcept ImportError:\n",
}


@pytest.mark.parametrize("text", GUARDED.values(), ids=list(GUARDED))
def test_an_import_that_may_fail_is_guarded(text):
    assert "x" in {one.names[0].name for one in guarded_imports(text)}


@pytest.mark.parametrize("text", NOT_GUARDED.values(), ids=list(NOT_GUARDED))
def test_an_import_that_must_not_fail_is_not(text):
    assert "x" not in {one.names[0].name for one in guarded_imports(text)}


def judged(folder: Path, text: str):
    (folder / "app.py").write_text(text)
    return audit([folder], python=Path(sys.executable), root=folder)


# Of the first one pyrefly says nothing, of the others it complains.
@pytest.mark.parametrize("name", ["try", "not found", "version", "types", "found", "suppressed"])
def test_a_guarded_import_that_is_not_resolved_is_counted(name, tmp_path):
    report = judged(tmp_path, GUARDED[name].replace("import x", "import nowhere"))
    assert (report.unjudged, report.guarded_imports, report.exit_code) == ((), 1, 0)


GUARD = "try:\n    {}\nexcept ImportError:\n    pass\n"
MISSING = [
    "import nowhere.at.all as one, asyncio",
    "from asyncio import nothing",
    "from nowhere import (\n        one,\n        two,\n    )",
    "from .nowhere import one",
    "from . import nowhere",
    "from ._compiled import one  # a folder above",
]
THERE = [
    "import asyncio",
    "from beside import one",
    "from .beside import one",
    "import beside as b",
]


@pytest.mark.parametrize("line", MISSING)
def test_each_form_of_an_import_is_counted_once(line, tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").touch()
    (tmp_path / "app" / "m.py").write_text(GUARD.format(line))
    report = audit([tmp_path], python=Path(sys.executable), root=tmp_path)
    assert (report.unjudged, report.guarded_imports) == ((), 1)


@pytest.mark.parametrize("line", THERE)
def test_one_that_is_resolved_is_not_counted(line, tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").touch()
    for folder in (tmp_path, tmp_path / "app"):
        (folder / "beside.py").write_text("one = 1\n")
    (tmp_path / "app" / "m.py").write_text(GUARD.format(line))
    report = audit([tmp_path / "app" / "m.py"], python=Path(sys.executable), root=tmp_path)
    assert (report.unjudged, report.guarded_imports) == ((), 0)


def test_the_same_import_without_a_guard_is_not_judged(tmp_path):
    report = judged(
        tmp_path, GUARDED["version"].replace("import x", "import nowhere") + "import nowhere\n"
    )
    assert [one.line for one in report.unjudged] == [4]
    assert (report.guarded_imports, report.exit_code) == (1, 2)


@pytest.mark.parametrize("command", ["audit", "fix"])
def test_the_summary_counts_them_and_is_not_called_clean(command, tmp_path):
    (tmp_path / "app.py").write_text(GUARDED["try"].replace("import x", "import nowhere"))
    done = in_process(command, ".", cwd=tmp_path)
    said = (done.stdout + done.stderr).splitlines()[-1]
    assert done.returncode == 0
    assert said.endswith(" in 1 file; 1 guarded import not resolved")
