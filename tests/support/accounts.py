"""What the tests of tokens, users and logins know about them."""

from __future__ import annotations

from netra_ws.auth.users import DemoUser, UserStore

SECRET = "x" * 32
LEEWAY_S = 30.0
LIFETIME_S = 60.0

Demo = tuple[UserStore, list[DemoUser]]
