"""The probe: the golden path of any deployment, from outside."""

from netra_incident.probe.repetition import Repetition
from netra_incident.probe.walk import Limits, ProbeResult, Step, plain, probe

__all__ = ["Limits", "ProbeResult", "Repetition", "Step", "plain", "probe"]
