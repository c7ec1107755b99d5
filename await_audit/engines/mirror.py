"""A copy of a source tree made of symbolic links, in which some files have another text."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mirror:
    """Where each path of the tree stands in the copy; `base` is the top of what was copied.

    Without a base there is no copy, and every path stands for itself.
    """

    base: Path | None = None
    copy: Path = Path()

    def inside(self, path: Path) -> Path:
        """Return where `path` stands in the copy, or the path itself if it is not part of it."""
        if self.base is None or not path.is_relative_to(self.base):
            return path
        return self.copy / path.relative_to(self.base)

    def outside(self, path: Path) -> Path:
        """Return the path of which `path` is the copy."""
        if self.base is None or not path.is_relative_to(self.copy):
            return path
        return self.base / path.relative_to(self.copy)


NO_COPY = Mirror()


@contextmanager
def mirrored(texts: Mapping[Path, str], roots: Sequence[Path]) -> Iterator[Mirror]:
    """Make a copy of the tree that holds `texts` and `roots`, and remove it in the end.

    `texts` gives absolute paths and their text in the copy, where it stands in UTF-8 with its line
    ends as they are. Everything beside them is a symbolic link, so that a module there finds the
    same neighbours, and those in the folders above it. Only the folders that lead to a text are
    made anew: the cost does not depend on the size of the tree.
    """
    if not texts:
        yield NO_COPY
        return
    folders = [path.parent for path in texts]
    near = [root for root in roots if any(folder.is_relative_to(root) for folder in folders)]
    project = Path(os.path.commonpath([*folders, *near]))
    base = Path(project.anchor)
    with tempfile.TemporaryDirectory(prefix="netra-ws-") as temporary:
        mirror = Mirror(base, Path(temporary).resolve() / "tree")
        made = {parent for folder in folders for parent in (folder, *folder.parents)}
        for folder in sorted(made):
            mirror.inside(folder).mkdir()
            _link_entries(folder, mirror, made | texts.keys(), folder in project.parents)
        for path, text in texts.items():
            mirror.inside(path).write_bytes(text.encode("utf-8"))
        yield mirror


def _link_entries(folder: Path, mirror: Mirror, made: Collection[Path], is_above: bool) -> None:
    """Link what `folder` holds beside what was made: if it is above the tree, what is importable.

    What may not be listed there is left out.
    """
    try:
        with os.scandir(folder) as found:
            entries = [entry for entry in found if not is_above or _is_importable(entry)]
    except OSError:
        if not is_above:
            raise
        return
    for path in (folder / entry.name for entry in entries):
        if path not in made:
            mirror.inside(path).symlink_to(path)


def _is_importable(entry: os.DirEntry[str]) -> bool:
    name, _, suffix = entry.name.partition(".")
    return name.isidentifier() and (suffix in {"py", "pyi"} or (not suffix and entry.is_dir()))
