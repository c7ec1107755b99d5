"""``python -m netra_ws`` is ``netra-ws``."""

from netra_incident.cli import main

main()
