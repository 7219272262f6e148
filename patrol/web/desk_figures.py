"""The page of figures: a period, every rate with what is behind it, and four charts, each with its table; and as CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

from flask import Response, request

from patrol.errors import BadInput
from patrol.queries import figure_series as series
from patrol.queries import figures
from patrol.rules.figures import FIGURES, Period
from patrol.station import Work
from patrol.web import access, parse
from patrol.web.access import door, station
from patrol.web.desk_shell import bp, page
from patrol.web.figures import read_period

_PARTS = {"robot": "机器人", "chief": "河长确认", "screenshot": "截图确认", "apart:here": "自处理"}
_RISKY = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run what begins so


@door(bp, "GET", "/desk/figures")
def figures_page() -> Response:
    args = parse.query_args(request, ("from", "to", "open"))
    with station().look(access.actor()) as look:
        try:
            period, faults = read_period(args, look), []
        except BadInput as error:
            period, faults = Period.usual(look.now), [fault.sentence for fault in error.faults]
        opened = args.get("open", "")
        rows = [_row(look, row, period) for row in figures.every(look, period)]
        return page(
            look, "figures", "/desk/figures", 422 if faults else 200, rows=rows, period=period, faults=faults,
            query=f"from={period.first}&to={period.last}", crumbs=[{"zh": "数字"}],
            behind=_behind(figures.figure(look, opened, period, issues=True)) if opened in FIGURES else None,
            weeks=series.weeks(look, period), times=series.close_times(look, period), heat=series.heat(look, period),
            units=series.units(look, period),
        )  # fmt: skip


@door(bp, "GET", "/desk/figures.csv")
def figures_csv() -> Response:
    """Every rate of the period for a spreadsheet: with a byte order mark, and nothing that it would run."""
    args = parse.query_args(request, ("from", "to"))
    with station().look(access.actor()) as look:
        period = read_period(args, look)
        lines = [["数字", "值", "分子", "分母", "公式", "期间从", "期间到", "说明"]]
        for row in figures.every(look, period):
            value = "" if row["value"] is None else str(row["value"])
            lines.append([row["zh"], value, str(row["numerator"]), str(row["denominator"]), row["formula"],
                          row["from"], row["to"], row["notes"]])  # fmt: skip
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([_safe(cell) for cell in line] for line in lines)
    response = Response(out.getvalue().encode("utf-8-sig"), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="figures-{period.first}-{period.last}.csv"'
    return response


def _behind(row: dict[str, Any]) -> dict[str, Any]:
    """The issues of one figure in three groups: above the line, below it only, and told apart from both."""
    issues = row.get("issues", [])
    counted = [one for one in issues if not one["part"].startswith("apart:")]
    groups = {
        "met": [one for one in counted if one["met"]], "missed": [one for one in counted if not one["met"]],
        "apart": [one for one in issues if one["part"].startswith("apart:")],
    }  # fmt: skip
    return {**row, "groups": groups}


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_RISKY) else cell


def _row(look: Work, row: dict[str, Any], period: Period) -> dict[str, Any]:
    """One line of the table: its words, how it was before, and how it was met."""
    earlier = figures.figure(look, row["figure"], period.before())
    change = ""
    if row["unit"] == "share" and row["value"] is not None and earlier["value"] is not None:
        points = round((row["value"] - earlier["value"]) * 100, 1)
        change = f"{points:+.1f} 点" if points else "持平"
    parts = "，".join(f"{_PARTS.get(part, part)} {count}" for part, count in row["parts"].items())
    return {**row, "words": words(row), "change": change, "parts_zh": parts}


def words(row: dict[str, Any]) -> str:
    """A number as people read it; nothing counted is a dash, never 0 %."""
    value = row["value"]
    if row["unit"] == "percent":
        return row.get("words") or "—"
    if value is None:
        return "—"
    if row["unit"] == "share":
        return "100 %" if value == 1 else f"{min(value * 100, 99.9):.1f} %"
    if row["unit"] == "minutes":
        hours, minutes = divmod(round(value), 60)
        return f"{hours} 时 {minutes:02d} 分" if hours else f"{minutes} 分"
    return f"{value:.0f}"
