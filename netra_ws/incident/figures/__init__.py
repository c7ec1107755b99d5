"""The figures of the incident: one module each, drawn from what was recorded."""

from netra_ws.incident.figures.drill_timeline import drill_timeline
from netra_ws.incident.figures.fingerprints import fingerprints
from netra_ws.incident.figures.isolation_matrix import isolation_matrix, leaks
from netra_ws.incident.figures.latency_ecdf import latency_ecdf
from netra_ws.incident.figures.milestones import milestones
from netra_ws.incident.figures.one_word import one_word
from netra_ws.incident.figures.resume import resume
from netra_ws.incident.figures.session_sequence import session_sequence
from netra_ws.incident.figures.style import Picture
from netra_ws.incident.figures.success import success, wilson
from netra_ws.incident.figures.swimlanes import swimlanes
from netra_ws.incident.figures.which_tool import which_tool

__all__ = [
    "Picture",
    "drill_timeline",
    "fingerprints",
    "isolation_matrix",
    "latency_ecdf",
    "leaks",
    "milestones",
    "one_word",
    "resume",
    "session_sequence",
    "success",
    "swimlanes",
    "which_tool",
    "wilson",
]
