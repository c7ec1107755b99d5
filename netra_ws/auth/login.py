"""A login: what is asked, and what is answered."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

LOGIN = "/auth/login"

Credential = Annotated[str, Meta(max_length=1024)]


class LoginRequest(Struct, frozen=True):
    """The body of a login."""

    email: Credential
    password: Credential


class LoginUser(Struct, frozen=True):
    """The user of a login; `id` is the `sub` of the token and the `user_id` of every event."""

    id: str
    email: str


class LoginResponse(Struct, frozen=True):
    """The answer to a login; `expires_in` in seconds."""

    access_token: str
    token_type: str
    expires_in: int
    user: LoginUser

    def __repr__(self) -> str:
        """Name the user; never the token."""
        return f"{type(self).__name__}({self.user.id}, expires_in={self.expires_in})"
