"""Stands on the path for the `netra_ws` of `NETRA_WS_TREE`, and is replaced by it when imported.

With the tree itself on the path, whatever else it holds could be imported too: a `click.py`, tests.
"""

import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

try:
    folder = Path(os.environ["NETRA_WS_TREE"]) / __name__
except KeyError:
    msg = f"NETRA_WS_TREE is not set: set it, or take {Path(__file__).parents[1]} from PYTHONPATH"
    raise ImportError(msg) from None
spec = spec_from_file_location(
    __name__, folder / "__init__.py", submodule_search_locations=[str(folder)]
)
assert spec is not None
assert spec.loader is not None
sys.modules[__name__] = module_from_spec(spec)
spec.loader.exec_module(sys.modules[__name__])
