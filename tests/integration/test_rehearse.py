"""The rehearsed timeline, on a real deployment."""

from netra_incident.case import told_case
from netra_incident.measuring.timeline import MILESTONES, rehearse


async def test_a_rehearsal_reaches_every_milestone_in_its_order() -> None:
    timeline = await rehearse(told_case())
    assert timeline.complete, timeline
    assert tuple(moment.milestone.name for moment in timeline.moments) == MILESTONES
    times = [moment.at_s for moment in timeline.moments if moment.at_s is not None]
    assert times == sorted(times)
    started, detected, identified, mitigated, resolved = (one.evidence for one in timeline.moments)
    assert started == "buggy: listening, 20 users"
    assert detected == "101, then 0 messages, then close 1011, no reason"
    assert identified.startswith("TypeError at netra_ws/routes/websocket_ssot.py:")
    assert mitigated == "/ws/health 200, /ws/config 200, /ws/stats 200"
    assert resolved == "100 of 100 sessions complete"
    assert [len(side.sessions) for side in (timeline.broken, timeline.mended)] == [100, 100]
    assert not any(session.completed for session in timeline.broken.sessions)
