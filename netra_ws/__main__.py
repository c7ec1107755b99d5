"""``python -m netra_ws``: the backend by itself, without what investigates it."""

from netra_ws.serving.command_line import main

main()
