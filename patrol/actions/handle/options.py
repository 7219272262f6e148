"""What a person may do with an issue now, and what each such step still lacks: for buttons and `GET …/steps`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from patrol import models as m
from patrol.actions.handle.case import gather, is_acting_head
from patrol.rules import evidence, forms, lifecycle
from patrol.station import Work


def may(work: Work, issue: m.Issue) -> list[dict[str, Any]]:
    """The steps this person may take or ask for now, in the order of STEPS, with what each still lacks."""
    roles = set(work.actor.roles)
    if is_acting_head(work):
        roles.add("acting_head")
    if work.actor.person_id is not None and work.actor.person_id == issue.acceptor_id:
        roles.add("named")
    asked = set(
        work.session.scalars(select(m.Request.step).where(m.Request.issue_id == issue.id, m.Request.state == "open"))
    )
    found = []
    for verb in lifecycle.VERBS:
        finding = issue.half1 if verb == "supervise" and not work.actor.has("grid") else None
        row = lifecycle.row_for(verb, finding)
        if row is None or issue.state not in row.from_ or not roles & set(row.who):
            continue
        if not row.button and verb != "supervise":
            continue
        case, _ = gather(work, issue, row, {"finding": finding} if finding else {})
        missing = evidence.lacks(row, case)
        refusal = next((lack for lack in missing if lack.refuses), None)
        if refusal is not None:
            continue
        found.append(
            {
                "step": verb,
                "zh": lifecycle.STEPS[row.name].button or "到场核实",
                "en": row.en,
                "to": lifecycle.target(row, issue.state),
                "asks": evidence.approval_of(row, case),
                "asked": row.name in asked,
                "final": row.final,
                "stage": row.stage,
                "missing": [{"code": lack.code, "sentence": lack.sentence} for lack in missing],
                "schema": forms.schema_of(row),
            }
        )
    return found
