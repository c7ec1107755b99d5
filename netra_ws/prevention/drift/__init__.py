"""The drift check: functions whose colour changed since a revision, and callers left behind."""

from netra_ws.prevention.drift.check import drift
from netra_ws.prevention.drift.colour import Colour
from netra_ws.prevention.drift.model import Caller, Commit, Drift, Flip

__all__ = ["Caller", "Colour", "Commit", "Drift", "Flip", "drift"]
