"""``python -m netra_incident`` is ``netra-ws``."""

from netra_incident.cli import main

main()
