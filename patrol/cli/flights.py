"""`patrol flight import DIR`: the files of one flight become frames, detections, issues and coverage."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from patrol.cli.answers import as_json, aside, give, station, terminal
from patrol.errors import BadInput, Fault

if TYPE_CHECKING:
    from patrol.actions.flights import Plan
    from patrol.station import Station

SOURCES = ("drone", "satellite", "sensor")  # the words of patrol.rules.flights.SOURCES; a test compares


@click.group()
def flight() -> None:
    """航次：导入一次飞行的照片、多光谱影像和日志。"""


@flight.command("import")
@click.argument("folder", type=click.Path(exists=True, file_okay=True, path_type=Path), metavar="DIR")
@click.option("--round", "round_no", type=click.IntRange(1, 99999), help="第几轮；不写就是当前未完成的一轮。")
@click.option("--source", type=click.Choice(SOURCES), default="drone", show_default=True, help="影像来源。")
@click.option("--zone", default="", help="相机时钟的时区，如 Asia/Shanghai；不知道就不写，不会猜。")
@click.option("--approval", default="", help="空域批准号。")
@click.option("--drone", default="", help="无人机型号或编号。")
@click.option("--pilot", default="", help="飞手。")
@click.option("--place", "place_", help="地点文件夹或自带地点的名字；不写就用 PATROL_PLACE。")
@as_json
def import_(folder: Path, round_no: int | None, place_: str | None, json_: bool, **said: Any) -> int:
    """导入一个文件夹或 ZIP：同一批文件再导一次，还是那个航次。坏文件搁置并说明原因，其余照常。"""
    from patrol.actions.flights import Plan

    with station(place=place_) as opened:
        ref, refused = _receive(opened, folder, Plan(round_no=round_no, **said), json_)
        _read(opened, ref, quiet=json_)
        answer = _answer(opened, ref, refused)
    if json_:
        give(answer)
    else:
        _say(answer)
    return 1 if answer["progress"]["parked"] or refused else 0


def _receive(opened: Station, folder: Path, plan: Plan, quiet: bool) -> tuple[str, list[dict[str, str]]]:
    """Every file into the store, then the flight; what is no file of a flight is named and left out."""
    from patrol.actions import flights
    from patrol.actions.flights.folder import files_in

    arrived, refused = [], []
    with files_in(folder) as files:
        for path, name in files:
            try:
                arrived.append(flights.arrive_file(opened, path, name))
            except BadInput as error:
                refused.append({"file": name, "sentence": error.sentence})
            if not quiet:
                _bar("接收", len(arrived) + len(refused), len(files), None)
    if not arrived:
        raise BadInput([Fault("DIR", "no_files", f"{folder} 里没有航片、影像或飞行日志。"),
                        *(Fault("DIR", "refused", each["sentence"]) for each in refused[:20])])  # fmt: skip
    with opened.work(terminal()) as work:
        row = flights.open_flight(work, plan)
        for file in arrived:
            flights.take(work, row, file)
        return flights.finish(work, row).ref, refused


def _read(opened: Station, ref: str, *, quiet: bool) -> None:
    """Read what is due until the flight has settled; a running worker may take its share."""
    from patrol.actions.delivery import run_jobs
    from patrol.queries import flights as ask
    from patrol.station import SYSTEM

    while True:
        done = run_jobs(opened, budget_s=1.0)
        with opened.look(SYSTEM) as look:
            now = ask.flight_state(look, ref)
        if not quiet:
            _bar("处理", now["done"], now["total"], now["eta_s"])
        if now["state"] in ("settled", "cancelled"):
            return
        if not done:
            time.sleep(0.5)  # a worker elsewhere has the rest in hand, or a file waits for its next try


def _bar(word: str, done: int, total: int, eta_s: float | None) -> None:
    if not sys.stderr.isatty():
        return
    percent = 100 * done // total if total else 100
    eta = f"，约还要 {eta_s:.0f} 秒" if eta_s else ""
    sys.stderr.write(f"\r\033[K{word} {percent:3d} %　{done}/{total}{eta}" + ("\n" if done == total else ""))
    sys.stderr.flush()


def _answer(opened: Station, ref: str, refused: list[dict[str, str]]) -> dict[str, Any]:
    from patrol.queries import flights as ask
    from patrol.station import SYSTEM

    with opened.look(SYSTEM) as look:
        found = ask.flight(look, ref)
        of_round = next(each for each in ask.rounds(look) if each["round"] == found["round"])
        return {**found, "detections": ask.detections(look, ref), "coverage": of_round["coverage"], "refused": refused}


def _say(answer: dict[str, Any]) -> None:
    frames = answer["frames"]
    parked = [each for each in frames if each["state"] == "parked"]
    doubtful = [each for each in frames if each["faults"]]
    click.echo(f"第 {answer['round']} 轮，航次 {answer['flight']}：{len(frames)} 个文件，识别 {len(answer['detections'])} 处，"
               f"疑点 {answer['things']} 个，问题 {len(answer['issues'])} 件。")  # fmt: skip
    for each in answer["coverage"]:
        click.echo(each["words"])
    for each in parked:
        aside(f"搁置　{each['name']}：{each['error']}")
    for each in answer["refused"]:
        aside(f"没收　{each['file']}：{each['sentence']}")
    if doubtful:
        aside(f"另有 {len(doubtful)} 个文件有疑点，用 --json 看每一条。")
