"""AUDIENCE: event -> who hears of it by which card, or which worker job it owes. One errand a row.

`tell` writes the errands that this table names in the transaction of the deed itself; nothing else makes one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hear:
    """One hearer: a robot group (`chiefs`, `office`, `fishing`, `unit`: the lead unit's own) or a worker `job`.
    `old_unit` is the unit the fact `old_unit` names: who the work was taken from."""

    group: str | None
    card: str
    job: str | None = None
    urgent: bool = False

    @property
    def handler(self) -> str:
        return f"job:{self.job}" if self.job else f"card:{self.card}"


GROUPS: dict[str, str] = {
    "chiefs": "河湖长群",
    "office": "环保办群",
    "fishing": "禁捕值守群",
    "unit": "责任单位群",
    "old_unit": "原责任单位群",
}
JOBS: frozenset[str] = frozenset({"print", "read_frame", "settle_flight", "plan_effects", "reckon_effect"})
# cards, with the title each carries
CARDS: dict[str, str] = {
    "assignment": "问题交办单", "supervision": "整改督办单", "closure": "销号反馈单", "dismissal": "不予立案告知",
    "transfer": "移送单", "clue": "待研判线索", "fishing": "疑似非法捕捞", "new_issue": "新问题待交办",
    "amber": "时限提醒", "red": "已超时限", "level1": "超期催办", "level2": "超期督办", "level3": "超期升级",
    "request": "待批申请", "decided": "申请已批", "pressed": "督办", "reassigned": "改派告知",
    "submitted": "待验收", "sent_back": "验收退回", "stuck": "推送受阻", "reopened": "重开", "still_visible": "整改后仍可见",
    "anchor": "台账校验", "supplement": "反映人补充",
}  # fmt: skip

# a paper or a live frame never waits behind the frames of an import
_PRINT = Hear(None, "print", job="print", urgent=True)
_READ = Hear(None, "read_frame", job="read_frame")
_READ_NOW = Hear(None, "read_frame", job="read_frame", urgent=True)

AUDIENCE: dict[str, tuple[Hear, ...]] = {
    "clue_waits": (Hear("office", "clue"),),
    "fishing_clue": (Hear("fishing", "fishing", urgent=True), Hear("office", "fishing", urgent=True)),
    "reported": (Hear("office", "new_issue"),),
    "assigned": (Hear("chiefs", "assignment", urgent=True), Hear("unit", "assignment"), _PRINT),
    "reassigned": (Hear("chiefs", "reassigned"), Hear("unit", "assignment"), Hear("old_unit", "reassigned"), _PRINT),
    "returned": (Hear("chiefs", "reassigned"), Hear("unit", "assignment"), Hear("old_unit", "reassigned"), _PRINT),
    "supervised": (Hear("chiefs", "supervision"), Hear("unit", "supervision"), _PRINT),
    "cleared": (Hear("chiefs", "supervision"), Hear("office", "submitted"), _PRINT),
    "submitted": (Hear("office", "submitted"),),
    "handled_here": (Hear("office", "submitted"), _PRINT),
    "sent_back": (Hear("unit", "sent_back"), Hear("chiefs", "sent_back"), _PRINT),
    "closed": (Hear("chiefs", "closure"), Hear("unit", "closure"), _PRINT),
    "forced": (Hear("chiefs", "closure"), Hear("unit", "closure"), _PRINT),
    "dismissed": (Hear("office", "dismissal"), _PRINT),
    "transferred": (Hear("chiefs", "transfer"), _PRINT),
    "reopened": (Hear("chiefs", "reopened"), Hear("unit", "assignment"), _PRINT),
    "corrected": (_PRINT,),
    "rebased": (Hear("unit", "reassigned"), _PRINT),
    "looked_back": (_PRINT,),
    "asked": (Hear("office", "request"),),
    "climbed": (Hear("office", "request"), Hear("chiefs", "request")),
    "decided": (Hear("unit", "decided"),),
    "pressed": (Hear("unit", "pressed"), Hear("office", "pressed")),
    "still_visible": (Hear("office", "still_visible"),),
    "supplemented": (Hear("office", "supplement"),),
    "amber": (Hear("office", "amber"), Hear("unit", "amber")),
    "red": (Hear("office", "red"), Hear("unit", "red")),
    "level1": (Hear("office", "level1"), Hear("unit", "level1")),
    "level2": (Hear("chiefs", "level2"), Hear("office", "level2"), Hear("unit", "level2")),
    "level3": (Hear("chiefs", "level3"), Hear("office", "level3")),
    "frame_received": (_READ,),
    "live_frame": (_READ_NOW,),
    "flight_read": (Hear(None, "settle_flight", job="settle_flight"),),
    "flight_settled": (Hear(None, "plan_effects", job="plan_effects"),),
    "effect_due": (Hear(None, "reckon_effect", job="reckon_effect"),),
    "errand_stuck": (Hear("office", "stuck"),),
    "anchored": (Hear("office", "anchor"),),
}
# events that are told to the trail only: nobody hears of them
QUIET: frozenset[str] = frozenset(
    {
        "joined", "checked", "check_waived", "push_confirmed", "received", "half_confirmed", "on_site", "progressed",
        "split", "extended", "suspended", "resumed", "acceptor_named", "verified", "merged", "unmerged", "appealed",
        "refused", "refusal_asked", "withdrawn", "lapsed", "photo_received", "photo_released", "clue_discarded", "clue_expired",
        "clue_joined", "clue_confirmed", "relapse_waits", "delivered", "errand_replayed",
        "token_added", "token_revoked", "password_set", "signed_in", "signed_out", "delegated", "calendar_imported",
        "rated", "spot_remembered", "key_added", "key_vouched", "key_lost", "identity_asked", "identity_opened",
        "callback_opened", "retention_ran",
        "round_opened", "round_moved", "round_reckoned", "flight_opened", "flight_received", "flight_cancelled",
        "frame_parked", "thing_told", "thing_dismissed", "thing_merged", "unflyable_noted",
        "episode_acknowledged", "effect_reckoned", "drone_known", "media_lost",
        "reward_applied", "reward_way", "reward_proposed", "reward_granted", "reward_refused", "reward_batched",
        "reward_unbatched", "reward_payable", "reward_paid", "staff_marked", "pay_batch_made",
        "pay_batch_approved", "pay_batch_cancelled", "points_moved", "good_set", "exchanged", "exchange_handed",
        "exchange_back", "team_set", "member_joined", "member_left", "shift_planned", "shift_signed", "shift_left",
        "shift_held", "shift_cancelled", "class_planned", "class_signed", "class_left", "class_held",
        "class_cancelled", "spot_set", "observed", "observation_dropped",
        "walked", "device_bound", "device_revoked",
    }
)  # fmt: skip
# events whose subject is no issue: a clue, a flight, a thing, a round, or the house itself
ELSEWHERE: frozenset[str] = frozenset(
    {
        "clue_waits", "fishing_clue", "clue_expired", "clue_discarded", "clue_confirmed", "clue_joined",
        "spot_remembered", "token_added", "token_revoked", "password_set", "signed_in", "signed_out", "delegated",
        "calendar_imported", "errand_replayed", "anchored",
        "round_opened", "round_moved", "round_reckoned", "flight_opened", "flight_received", "flight_read",
        "flight_cancelled", "flight_settled", "frame_received", "live_frame", "frame_parked", "thing_told",
        "thing_dismissed", "thing_merged", "unflyable_noted", "episode_acknowledged", "effect_due", "effect_reckoned",
        "drone_known", "media_lost", "key_added", "key_vouched", "key_lost", "identity_asked", "identity_opened",
        "callback_opened", "retention_ran",
        "reward_applied", "reward_way", "reward_proposed", "reward_granted", "reward_refused", "reward_batched",
        "reward_unbatched", "reward_payable", "reward_paid", "staff_marked", "pay_batch_made",
        "pay_batch_approved", "pay_batch_cancelled", "points_moved", "good_set", "exchanged", "exchange_handed",
        "exchange_back", "team_set", "member_joined", "member_left", "shift_planned", "shift_signed", "shift_left",
        "shift_held", "shift_cancelled", "class_planned", "class_signed", "class_left", "class_held",
        "class_cancelled", "spot_set", "observed", "observation_dropped",
        "walked", "device_bound", "device_revoked",
    }
)  # fmt: skip
