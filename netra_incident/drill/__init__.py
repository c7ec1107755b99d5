"""The rollback rehearsal: take the fix back on a running deployment, notice, and put it back.

It follows the *Emergency Rollback Plan* of the test execution plan, on a scratch copy of the
history and a local staging deployment under steady traffic.
"""

from netra_incident.drill.journal import Drill, Step
from netra_incident.drill.rehearsal import Rehearsal, run_drill
from netra_incident.drill.traffic import TrafficSession

__all__ = ["Drill", "Rehearsal", "Step", "TrafficSession", "run_drill"]
