"""A copy of a source tree made of symbolic links, in which some files have another text."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
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
    same neighbours. Only the folders that lead to a text are made anew: the cost does not depend
    on the size of the tree.
    """
    if not texts:
        yield NO_COPY
        return
    folders = [path.parent for path in texts]
    near = [root for root in roots if any(folder.is_relative_to(root) for folder in folders)]
    base = Path(os.path.commonpath([*folders, *near]))
    with tempfile.TemporaryDirectory(prefix="netra-ws-") as temporary:
        mirror = Mirror(base, Path(temporary).resolve() / "tree")
        made = {base}
        for folder in folders:
            made.update(
                parent
                for parent in (folder, *folder.parents)
                if parent != base and parent.is_relative_to(base)
            )
        for folder in sorted(made):
            mirror.inside(folder).mkdir()
            _link_entries(folder, mirror, made, texts)
        for path, text in texts.items():
            mirror.inside(path).write_bytes(text.encode("utf-8"))
        yield mirror


def _link_entries(folder: Path, mirror: Mirror, made: set[Path], texts: Mapping[Path, str]) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = folder / entry.name
            if path not in made and path not in texts:
                mirror.inside(path).symlink_to(path)
