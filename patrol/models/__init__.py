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
from patrol.models.sky import Coverage, Detection, Effect, Episode, Flight, Frame, Round, Thing, Unflyable, Upload
from patrol.models.trail import Anchor, Answer, Beat, Chain, Channel, Errand, Send, Trail

__all__ = [
    "Account",
    "Anchor",
    "Answer",
    "Base",
    "Beat",
    "CalendarDay",
    "CalendarKept",
    "CalendarYear",
    "Chain",
    "Channel",
    "Clock",
    "Counter",
    "Coverage",
    "Delegation",
    "Detection",
    "Duty",
    "Effect",
    "Episode",
    "Errand",
    "FalseSpot",
    "Flight",
    "Frame",
    "Issue",
    "Moment",
    "Person",
    "Photo",
    "Request",
    "Round",
    "Send",
    "Sighting",
    "SignIn",
    "Slip",
    "Thing",
    "Token",
    "Trail",
    "Unflyable",
    "Upload",
    "canonical",
]
