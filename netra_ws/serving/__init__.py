"""The process: it listens, admits, routes, drains, and logs."""
