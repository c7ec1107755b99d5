"""The drift check: functions whose colour changed since a revision, and callers left behind."""

from await_audit.git import Commit
from await_audit.resolver.colour import Colour

from .check import drift
from .model import Caller, Drift, Flip

__all__ = ["Caller", "Colour", "Commit", "Drift", "Flip", "drift"]
