"""The tables are the behaviour: every row is used, every use has a row, and the documents say the same.

Read from the code itself, so that a new event, step, need, field, card, error or knob without its counterpart fails.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from patrol import errors
from patrol.actions import clocks
from patrol.actions.handle.mechanism import DECIDER_FIELDS
from patrol.actions.handle.steps import APPLY
from patrol.actions.slips import SERIES, TITLES
from patrol.queries import timeline
from patrol.rules import evidence, forms, lifecycle, rights
from patrol.rules.audience import AUDIENCE, CARDS, ELSEWHERE, GROUPS, JOBS, QUIET
from patrol.rules.clocks import CLOCKS
from patrol.rules.ladder import LADDER
from patrol.rules.lifecycle import APPROVALS, ENDS, FLAGS, OPEN, PHOTO_STAGES, STATES, STATES_EN, STEPS
from patrol.rules.problems import PROBLEMS
from patrol.settings import Settings
from patrol.web.answers import STATUS

ROOT = Path(__file__).parents[2]
SETTINGS = ROOT / "docs" / "settings.md"


def modules(*rooms: str) -> Iterator[tuple[Path, ast.Module]]:
    for room in rooms:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def words_of(node: ast.expr) -> set[str]:
    """The string constants an expression may be: itself, or either side of a choice."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    if isinstance(node, ast.IfExp):
        return words_of(node.body) | words_of(node.orelse)
    return set()


def told() -> set[str]:
    """Every event the code tells: in `tell(...)`, in a step's `Done(...)`, or chosen into a name `event`."""
    found: set[str] = set()
    for path, tree in modules("patrol/actions", "patrol/cli", "patrol/web", "worker"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args:
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name == "Done" or (name == "tell" and path.parts[-2] != "serve"):
                    found |= words_of(node.args[0])
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "event":
                found |= words_of(node.value)
    return found | {rung.code for rung in LADDER}


# events


def test_every_event_told_has_a_row_and_every_row_is_told() -> None:
    assert told() - (set(AUDIENCE) | QUIET) == set()
    assert (set(AUDIENCE) | QUIET) - told() == set()
    assert not set(AUDIENCE) & QUIET


def test_every_hearer_has_a_group_with_a_name_or_a_job_with_a_handler() -> None:
    from patrol.actions.delivery import JOBS as HANDLERS

    for event, hearers in AUDIENCE.items():
        assert hearers, event
        for hear in hearers:
            assert (hear.group is None) == (hear.job is not None), event
            assert hear.group is None or hear.group in GROUPS
            assert hear.job is None or hear.job in JOBS
    assert {hear.group for hearers in AUDIENCE.values() for hear in hearers if hear.group} == set(GROUPS)
    assert set(HANDLERS) >= JOBS


def test_every_card_is_sent_and_every_sent_card_has_a_title() -> None:
    sent = {hear.card for hearers in AUDIENCE.values() for hear in hearers if hear.job is None}
    assert sent == set(CARDS)
    assert all(CARDS.values())


def test_every_line_of_an_issues_trail_has_words() -> None:
    assert set(timeline.DID) == (set(AUDIENCE) | QUIET) - ELSEWHERE
    assert set(AUDIENCE) | QUIET >= ELSEWHERE
    assert set(timeline.DID) >= timeline.PUSHES | timeline.SMALL


def test_every_rung_of_the_ladder_is_heard() -> None:
    assert {rung.code for rung in LADDER} <= set(AUDIENCE)


# steps


def test_every_step_has_a_function_a_label_and_a_button_or_a_reason_for_none() -> None:
    assert set(APPLY) == set(STEPS)
    for row in STEPS.values():
        assert row.zh and row.en
        assert row.button or row.verb != row.name, f"{row.name} has no button and is no variant of another verb"
    assert set(lifecycle.VERBS) == {row.verb for row in STEPS.values()}
    assert all(lifecycle.row_for(verb) is not None for verb in lifecycle.VERBS)
    assert lifecycle.row_for("supervise_gone") is None, "a variant is reached through its verb only"


def test_every_state_clock_slip_and_role_a_step_names_exists() -> None:
    roles = {*rights.ROLES, "rule", "ladder", "reporter", "named", "acting_head"}
    for row in STEPS.values():
        assert set(row.from_) <= set(STATES) and (row.to is None or row.to in STATES), row.name
        assert set(row.who) <= roles, row.name
        assert row.slip is None or row.slip in SERIES, row.name
        assert row.stage is None or row.stage in PHOTO_STAGES, row.name
        for effect in row.clocks:
            verb, _, name = effect.partition(":")
            assert verb in clocks.EFFECT_VERBS and (not name or name in CLOCKS), f"{row.name}: {effect}"
        for _, approval in row.approval:
            assert approval in APPROVALS
    used = {effect.partition(":")[0] for row in STEPS.values() for effect in row.clocks}
    assert used == clocks.EFFECT_VERBS, "an effect that no row names is dead code"


def test_states_have_words_in_both_languages_and_for_the_public() -> None:
    assert set(STATES) == set(STATES_EN) == {*OPEN, *ENDS}
    assert set(STATES) <= set(lifecycle.PUBLIC_STATES_ZH)
    assert set(SERIES) == set(TITLES)
    assert set(lifecycle.SUPERVISE_BY_FINDING) == set(lifecycle.FINDINGS)


def test_every_need_condition_approval_and_clock_is_used() -> None:
    assert {need for row in STEPS.values() for need in row.needs} == set(evidence.NEEDS)
    assert {name for row in STEPS.values() for name, _ in row.approval} == set(evidence.CONDITIONS)
    assert {name for row in STEPS.values() for _, name in row.approval} == set(APPROVALS)
    started = {
        effect.partition(":")[2] for row in STEPS.values() for effect in row.clocks if effect.startswith("start")
    }
    started |= {row.clock for row in APPROVALS.values() if row.clock in CLOCKS}
    started |= {
        word
        for _, tree in modules("patrol/actions")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "start" and len(node.args) > 1
        for word in words_of(node.args[1])
    }
    # landing to import belongs to flights, which come with the recognition
    assert set(CLOCKS) - started - {"ingest"} == set()


def test_every_approval_names_a_clock_or_says_its_own_limit() -> None:
    for name, row in APPROVALS.items():
        assert row.clock in CLOCKS or name == "receiver"
        assert all(set(rung) <= set(rights.ROLES) for rung in row.rungs)


def test_forms_cover_every_field_and_every_field_is_asked_for() -> None:
    asked = {name for row in STEPS.values() for name in row.fields} | set(forms.COMMON)
    asked |= {name for names in DECIDER_FIELDS.values() for name in names} | {"finding"}
    assert asked == set(forms.FIELDS)
    for row in STEPS.values():
        assert set(forms.schema_of(row)["properties"]) == set(forms.fields_of(row))
    for field in forms.FIELDS.values():
        assert field.zh and field.schema and (field.choices is None) == (field.form != "choice")


def test_every_body_field_a_need_reads_may_be_sent() -> None:
    """A need that reads a field the step does not take could never be met."""
    trees = [ast.parse(Path(str(family.__file__)).read_text(encoding="utf-8")) for family in evidence.FAMILIES]
    reads: dict[str, set[str]] = {}
    for node in (each for tree in trees for each in tree.body):
        if not isinstance(node, ast.FunctionDef):
            continue
        for deco in node.decorator_list:
            if isinstance(deco, ast.Call) and getattr(deco.func, "id", "") == "need":
                code = next(iter(words_of(deco.args[0])))
                reads[code] = set(
                    re.findall(
                        r'body(?:\.get)?[(\[]"(\w+)"|\btext\(case, "(\w+)"\)'.replace("|", "|"),
                        ast.unparse(node).replace("'", '"'),
                    )
                    and [
                        a or b
                        for a, b in re.findall(
                            r'body(?:\.get)?[(\[]"(\w+)"|\btext\(case, "(\w+)"\)', ast.unparse(node).replace("'", '"')
                        )
                    ]
                )
    for row in STEPS.values():
        for need in row.needs:
            assert reads[need] <= set(forms.fields_of(row)) | {"kind"}, f"{row.name}: {need}"


def test_flags_the_code_raises_have_words_or_are_facts() -> None:
    raised = {
        word
        for _, tree in modules("patrol/actions")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "flag" and len(node.args) > 1
        for word in words_of(node.args[1])
    }
    facts = {
        "confirmed_how",
        "false_report",
        "unchecked",
        "checklist",
        "dismiss_reason",
        "receiving_body",
        "reopened",
        "looked_back",
        "moved",
        "due_by",
    }
    assert raised - set(FLAGS) == facts


# errors


def test_every_error_has_a_status_a_code_and_a_sentence() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.PatrolError)]
    served = {kind for kind in kinds if kind not in (errors.PatrolError, errors.Misconfigured)}
    assert served <= set(STATUS)
    assert len({kind.code for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert kind.sentence.endswith("。") or kind.sentence[-1].isdigit(), kind


# settings


def settings_table() -> str:
    """What docs/settings.md must hold: one row a knob, from the knobs themselves."""
    rows = ["| 设置 | 说明 | 默认 |", "|---|---|---|"]
    for knob in fields(Settings):
        name = f"`PATROL_{knob.name.upper()}`" + (
            f"，或 `PATROL_{knob.name.upper()}_FILE`" if knob.metadata["secret"] else ""
        )
        default = (
            {True: "1", False: "0"}.get(knob.default, str(knob.default))
            if isinstance(knob.default, bool)
            else str(knob.default)
        )
        rows.append(f"| {name} | {knob.metadata['zh']} | {f'`{default}`' if default else '空'} |")
    return "\n".join(rows) + "\n"


def settings_page() -> str:
    return HEAD + settings_table() + TAIL


def test_settings_page_is_the_settings() -> None:
    page = SETTINGS.read_text(encoding="utf-8")
    assert page == settings_page(), "docs/settings.md is behind: python -m tests.house.test_tables writes it"


def test_no_module_but_settings_reads_the_environment() -> None:
    for path, tree in modules("patrol", "worker", "geodata"):
        if path.name in ("settings.py",):
            continue
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and node.attr in ("environ", "getenv")
                and getattr(node.value, "id", "") == "os"
            ):
                keeps = path.relative_to(ROOT).as_posix() in ENVIRONMENT_PASSED_ON
                assert keeps, f"{path.relative_to(ROOT)}:{node.lineno} reads the environment"


# handed on to a child process; read to say where each knob comes from; read when even the settings crashed
ENVIRONMENT_PASSED_ON = frozenset(
    {
        "patrol/serve.py",
        "patrol/cli/doctor.py",
        "patrol/cli/words.py",
        "patrol/gateways/decoding.py",
        "geodata/intake.py",
    }
)


@pytest.mark.parametrize("kind", PROBLEMS)
def test_every_kind_is_whole(kind: str) -> None:
    row = PROBLEMS[kind]
    assert row.code == kind and row.checklist and row.filing and row.closing and row.requirement and row.plain_en
    assert row.same_thing_m > 0 and row.relapse_m >= row.same_thing_m


HEAD = """# 设置

每一项都是环境变量，启动时读一次；写错的一次全说出来，退出码 2。`patrol doctor` 逐项列出现值、来自哪里，并当场检查。
不写的按默认，默认就是一台电脑单机使用。带“或 `…_FILE`”的是密码一类，可以只给出文件，值写在文件里。

"""
TAIL = """
本页由 `tests/house/test_tables.py` 与 `patrol/settings.py` 核对：改了设置没改本页，测试不过。重写本页：
`python -m tests.house.test_tables`。
"""

if __name__ == "__main__":
    SETTINGS.write_text(settings_page(), encoding="utf-8")
