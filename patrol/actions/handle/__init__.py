"""Steps of an issue: act (take a step or ask for it), decide, withdraw. One mechanism for every row of STEPS."""

from patrol.actions.handle.mechanism import Result, act, approve, find_issue, find_request, refuse, withdraw
from patrol.actions.handle.options import may

__all__ = ["Result", "act", "approve", "find_issue", "find_request", "may", "refuse", "withdraw"]
