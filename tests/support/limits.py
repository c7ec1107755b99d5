"""How long anything may take before it counts as hanging."""

HANG_S = 300.0
"""Seconds for one wait. It detects what hangs and says nothing of speed: everything here is done
in a hundredth of it, so that a machine that is busy is no failure."""
