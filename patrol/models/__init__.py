"""What is kept: tables only, no behaviour. Importing this registers every table."""

from patrol.models.base import Base, Moment, canonical
from patrol.models.issue import Clock, Counter, Issue, Request, Slip
from patrol.models.people import (
    Account,
    CalendarDay,
    CalendarKept,
    CalendarYear,
    Delegation,
    Duty,
    Person,
    SignIn,
    Token,
)
from patrol.models.sighting import FalseSpot, Photo, Sighting
from patrol.models.trail import Anchor, Answer, Beat, Chain, Channel, Errand, Send, Trail

__all__ = [
    "Account", "Anchor", "Answer", "Base", "Beat", "CalendarDay", "CalendarKept", "CalendarYear", "Chain", "Channel", "Clock",
    "Counter", "Delegation", "Duty", "Errand", "FalseSpot", "Issue", "Moment", "Person", "Photo", "Request",
    "Send", "Sighting", "SignIn", "Slip", "Token", "Trail", "canonical",
]  # fmt: skip
