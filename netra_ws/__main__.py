"""``python -m netra_ws`` is ``netra-ws``."""

from netra_ws.cli import main

main()
