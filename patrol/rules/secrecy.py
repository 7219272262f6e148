"""The two locks of an identity and whose keys fit them. Source: the domain page, section 9."""

from __future__ import annotations

from datetime import timedelta

SIDES = ("a", "b")
SIDES_ZH = {"a": "甲", "b": "乙", "": ""}
DUTIES = {"officer": "reward", "operator": "operator"}  # what a key is for -> the role that holds it
DUTIES_ZH = {"officer": "奖励专员", "operator": "话务员"}
KEY_STATES = {"waiting": "等人放行", "active": "在用", "lost": "已登记丢失"}
OPENING_LASTS = timedelta(hours=24)  # for the second officer to come
OPENED_LASTS = timedelta(hours=1)  # for reading on after it was opened
