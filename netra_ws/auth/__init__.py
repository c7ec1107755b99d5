"""Who may connect: tokens, users and their passwords, and the login service."""
