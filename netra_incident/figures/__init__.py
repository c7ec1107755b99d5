"""The figures of the incident: one module each, drawn from what was recorded."""

from .drill_timeline import drill_timeline
from .fingerprints import fingerprints
from .isolation_matrix import isolation_matrix, leaks
from .latency_ecdf import latency_ecdf
from .milestones import milestones
from .one_word import one_word
from .resume import resume
from .session_sequence import session_sequence
from .style import Picture
from .success import success, wilson
from .swimlanes import swimlanes
from .which_tool import which_tool

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
