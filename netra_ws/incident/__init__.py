"""The incident: its history, its runs on real servers, its figures and its post-mortem."""
