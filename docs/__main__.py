"""What is generated in the documents: `make docs` renews it, `make check` fails if it is stale.

A section begins with ``<!-- docs/MODULE.py: FUNCTION -->`` and ends with ``<!-- end -->``. Between
them stands what the function returns: Markdown, or an `Image`, which is kept as
``docs/FUNCTION.png`` and shown with its alt text. The alt text is what is checked of a picture: its
bytes depend on the machine that drew it.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from functools import partial
from importlib import import_module
from pathlib import Path

import click

from docs.image import Image
from netra_ws.serving.command_line import boundary

ROOT = Path(__file__).parents[1]
SECTION = re.compile(
    r"(?P<begin><!-- docs/(?P<module>\w+)\.py: (?P<function>\w+) -->)"
    r"(?P<inside>.*?)(?P<end><!-- end -->)",
    re.DOTALL,
)
BEGIN, END = "<!-- docs/", "<!-- end -->"


def documents(root: Path) -> list[Path]:
    """Return the documents that may have sections."""
    return [*sorted(root.glob("*.md")), *sorted((root / "docs").glob("*.md"))]


def stale(root: Path, *, renew: bool) -> list[str]:
    """Return the sections that are not what is made now; with `renew`, write them anew.

    Raises `ValueError` for a section without an end, or that nothing makes.
    """
    found: list[str] = []

    def made(document: Path, section: re.Match[str]) -> str:
        function = section["function"]
        try:
            result = getattr(import_module(f"docs.{section['module']}"), function)()
        except (AttributeError, LookupError, ModuleNotFoundError) as error:
            msg = f"{document}: expected what makes {section['begin']}, got: {error}"
            raise ValueError(msg) from error
        is_absent = False
        if isinstance(result, Image):
            path = root / "docs" / f"{function.replace('_', '-')}.png"
            is_absent = not path.exists()
            if renew:
                path.write_bytes(result.png)
            shown = Path(os.path.relpath(path, document.parent)).as_posix()
            result = f"{textwrap.fill(f'![{result.alt}]', 96, break_on_hyphens=False)}({shown})"
        text = f"\n\n{result}\n\n"
        if is_absent or text != section["inside"]:
            found.append(f"{document.relative_to(root)}: {section['begin']}")
        return f"{section['begin']}{text}{section['end']}"

    for document in documents(root):
        old = document.read_text(encoding="utf-8")
        whole = [one for one in SECTION.finditer(old) if BEGIN not in one["inside"]]
        if not len(whole) == old.count(BEGIN) == old.count(END):
            raise ValueError(f"{document}: expected {END} after each {BEGIN}…, and no other")
        new = SECTION.sub(partial(made, document), old)
        if renew and new != old:
            document.write_text(new, encoding="utf-8")
    return found


@click.command("docs")
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 if a section is stale.")
def main(check: bool) -> None:
    """Renew what is generated in the documents."""
    found = stale(ROOT, renew=not check)
    for section in found:
        click.echo(f"{section} is {'stale; run: make docs' if check else 'renewed'}", err=check)
    sys.exit(1 if check and found else 0)


if __name__ == "__main__":
    with boundary("python -m docs", ValueError, prefix="docs"):
        sys.exit(main(prog_name="python -m docs", standalone_mode=False))
