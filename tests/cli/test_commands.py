"""The terminal: what each command prints, its exit code, one JSON document, and sentences instead of traces."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest

from geodata.layers import LAYERS
from patrol.actions import sealing
from patrol.cli import cli, ground, run
from patrol.cli.checks import CHECKS
from patrol.gateways import identity
from patrol.settings import Settings
from patrol.station import Station
from tests.sealroom import Ring

ROOT = Path(__file__).parents[2]


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def last(self) -> str:
        return self.out.splitlines()[-1]


Terminal = Callable[..., Said]


@pytest.fixture
def terminal(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Terminal]:
    """`terminal("token", "list")`: one command line on an installation of its own."""
    for name in [name for name in os.environ if name.startswith("PATROL_")]:
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def command(*arguments: str | Path) -> Said:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        if "--json" in arguments and code < 2 and said.out:
            json.loads(said.out)
        return Said(code, said.out, said.err)

    yield command


@pytest.fixture
def patrol(terminal: Terminal) -> Terminal:
    """A terminal on a migrated installation."""
    assert terminal("migrate").code == 0
    return terminal


def test_migrate_makes_tables_keys_and_calendar_and_repeats_nothing(terminal: Terminal, tmp_path: Path) -> None:
    first = terminal("migrate", "--json")
    assert first.code == 0 and first.json["before"] is None
    assert [year["confirmed"] for year in first.json["calendar"]][:2] == [True, True]
    again = terminal("migrate", "--json")
    assert (again.json["before"], again.json["calendar"]) == (first.json["revision"], [])
    assert "没有改动" in terminal("migrate").out
    assert (tmp_path / "data" / "keys" / "chain.key").stat().st_mode & 0o77 == 0


def test_commands_before_migrate_say_what_to_do(terminal: Terminal, tmp_path: Path) -> None:
    for arguments in (["token", "list"], ["trail", "verify"], ["backup", "x.tar"], ["tick"]):
        said = terminal(*arguments)
        assert said.code == 2 and "patrol migrate" in said.err and said.out == ""
    assert not (tmp_path / "data" / "patrol.db").exists()


def test_token_is_the_last_line_and_works(patrol: Terminal, environ: dict[str, str]) -> None:
    from patrol.actions import people

    said = patrol("token", "add", "无人机一号", "--role", "drone")
    assert said.code == 0 and "全部网格" in said.out
    narrow = patrol("token", "add", "张三", "--role", "grid", "--grid", "G1", "--grid", "G2", "--json").json
    opened = Station.open(Settings.read(environ), may_create=False)
    with opened.look() as look:
        drone = people.actor_of_token(look, said.last)
        grid = people.actor_of_token(look, narrow["token"])
    opened.close()
    assert (drone.name, drone.roles, drone.grids) == ("无人机一号", {"drone"}, None)
    assert grid.grids == {"G1", "G2"}
    listed = patrol("token", "list", "--json").json
    assert [(row["name"], row["grids"], row["revoked_at"]) for row in listed] == [
        ("无人机一号", None, None), ("张三", ["G1", "G2"], None),
    ]  # fmt: skip
    assert said.last not in patrol("token", "list").out
    assert patrol("token", "revoke", "1").code == 0
    assert "早已停用" in patrol("token", "revoke", "1").out
    assert patrol("token", "list", "--json").json[0]["revoked_at"]
    missing = patrol("token", "revoke", "77")
    assert missing.code == 1 and "没有编号 77" in missing.err


def test_every_fault_of_a_grant_is_said_at_once(patrol: Terminal) -> None:
    said = patrol("token", "add", "李四", "--role", "unit", "--grid", "G99")
    assert said.code == 1 and said.out == ""
    assert "--unit" in said.err and "G99" in said.err
    assert patrol("token", "list", "--json").json == []


def test_user_passwords_come_from_a_file_or_are_made_and_shown_once(
    patrol: Terminal, environ: dict[str, str], tmp_path: Path
) -> None:
    from patrol.actions import people

    made = patrol("user", "add", "li", "--role", "office", "--name", "李四", "--generate")
    assert made.code == 0
    (tmp_path / "pw").write_text("correct horse battery\n", "utf-8")
    filed = patrol("user", "add", "wang", "--role", "unit", "--unit", "water", "--password-file", tmp_path / "pw")
    assert filed.code == 0 and "correct horse" not in filed.out + filed.err
    opened = Station.open(Settings.read(environ), may_create=False)
    with opened.work(people_actor()) as work:
        assert people.sign_in(work, "li", made.last)
        assert people.sign_in(work, "wang", "correct horse battery")
        assert people.sign_in(work, "li", "wrong password") is None
    opened.close()
    assert "已有人用" in patrol("user", "add", "li", "--role", "office", "--generate").err
    (tmp_path / "pw").write_text("short", "utf-8")
    assert "至少 10 位" in patrol("user", "add", "zhao", "--role", "office", "--password-file", tmp_path / "pw").err
    answered = patrol("user", "add", "sun", "--role", "office", "--role", "inspector", "--json").json
    assert answered["roles"] == ["office", "inspector"] and len(answered["password"]) >= 16


def people_actor() -> Any:
    from patrol.station import ANYONE

    return ANYONE


def test_sealing_keys_open_what_is_sealed_by_file_and_by_paper(
    patrol: Terminal, environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "pass").write_text("很长的一句口令，谁也猜不到\n", "utf-8")
    options = ["--passphrase-file", tmp_path / "pass"]
    officer = patrol("keys", "officer", "张专员", "--out", tmp_path / "zhang.key", *options)
    second = patrol("keys", "officer", "李专员", "--out", tmp_path / "li.key", *options)
    operator = patrol("keys", "operator", "话务员", "--out", tmp_path / "operator.key", *options)
    assert officer.code == second.code == operator.code == 0
    assert "甲组，在用" in officer.err and "乙组，在用" in second.err
    opened = Station.open(Settings.read(environ), may_create=False)
    with opened.work(people_actor()) as work:
        sealed = sealing.seal_identity(work, "张某".encode()).body
        callback = sealing.seal_callback(work, b"13800000000").body
    passphrase = "很长的一句口令，谁也猜不到"
    held = Ring(opened, identity.unlock_key((tmp_path / "zhang.key").read_bytes(), passphrase),
                identity.read_recovery(second.out.strip()), identity.read_recovery(operator.out.strip()))  # fmt: skip
    assert held.identity(sealed).decode() == "张某" and held.callback(callback) == b"13800000000"
    opened.close()
    assert (tmp_path / "zhang.key").stat().st_mode & 0o77 == 0
    third = patrol("keys", "officer", "王专员", "--out", tmp_path / "third.key", *options)
    assert third.code == 0 and "放行" in third.err  # both sides are held: it waits for one who can open
    over = patrol("keys", "officer", "wang", "--out", tmp_path / "zhang.key", *options)
    assert over.code == 1 and "从不覆盖" in over.err
    (tmp_path / "pass").write_text("short", "utf-8")
    assert "口令太短" in patrol("keys", "officer", "wang", "--out", tmp_path / "w.key", *options).err


def test_calendar_import_names_what_is_wrong_with_the_file(patrol: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "2027.csv"
    file.write_text("日期,类型,名称\n2027-01-04,放假,元旦\n2027-01-10,上班\n", "utf-8")
    assert "--year" in patrol("calendar", "import", file).err
    done = patrol("calendar", "import", file, "--year", "2027", "--json").json
    assert done == {"year": 2027, "confirmed": True, "days": 2, "changed": True, "rebased": 0}
    assert "没有改动" in patrol("calendar", "import", file, "--year", "2027").out
    file.write_text("2027-13-04,放假\n2027-01-05,玩\n", "utf-8")
    said = patrol("calendar", "import", file, "--year", "2027")
    assert said.code == 1 and "2027 年 13 月" in said.err and "第 2 行" in said.err
    file.write_bytes("元旦".encode("gb18030"))
    assert "UTF-8" in patrol("calendar", "import", file, "--year", "2027").err


def test_doctor_names_every_knob_and_check_and_makes_nothing(terminal: Terminal, tmp_path: Path) -> None:
    before = terminal("doctor", "--json")
    assert before.code == 1 and not (tmp_path / "data" / "keys").exists()
    assert {check["name"]: check["state"] for check in before.json["checks"]}["database"] == "fail"
    terminal("migrate")
    said = terminal("doctor", "--json")
    checks = {check["name"]: check for check in said.json["checks"]}
    assert said.code == 0 and set(checks) == set(CHECKS), said.out
    assert {
        "database",
        "sqlite",
        "photos",
        "robots",
        "place",
        "fonts",
        "heic",
        "broker",
        "port",
        "clock",
        "disk",
    } <= set(checks)
    assert all(check["sentence"] for check in checks.values())
    knobs = {knob["name"]: knob for knob in said.json["settings"]}
    assert knobs["PATROL_DATA"]["source"] == "环境变量" and knobs["PATROL_PORT"]["source"] == "默认"
    assert "PATROL_DATA" in terminal("doctor").out


def test_doctor_finds_what_is_wrong(patrol: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "robots.toml").write_text('[[robot]]\ngroup = "nobody"\n', "utf-8")
    (tmp_path / "secret").write_text("amqp://guest:hunter2@127.0.0.1:1/", "utf-8")
    monkeypatch.setenv("PATROL_ROBOTS_FILE", str(tmp_path / "robots.toml"))
    monkeypatch.setenv("PATROL_PLACE", "atlantis")
    monkeypatch.setenv("PATROL_BROKER_URL_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("PATROL_FREE_DISK_MB", "999999999")
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        monkeypatch.setenv("PATROL_PORT", str(busy.getsockname()[1]))
        said = patrol("doctor", "--json")
    states = {check["name"]: check["state"] for check in said.json["checks"]}
    assert said.code == 1 and "hunter2" not in said.out + said.err
    assert {name for name, state in states.items() if state == "fail"} == {"robots", "place", "broker", "disk"}
    assert states["port"] == "warn"
    broker = next(knob for knob in said.json["settings"] if knob["name"] == "PATROL_BROKER_URL")
    assert broker["source"] == f"文件 {tmp_path / 'secret'}" and broker["value"] == "已设置"


def test_wrong_settings_are_all_said_and_exit_2(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATROL_PORT", "many")
    monkeypatch.setenv("PATROL_ROBOT_PACE", "-1")
    for arguments in (["doctor", "--json"], ["token", "list"], ["serve"]):
        said = terminal(*arguments)
        assert said.code == 2 and said.out == "" and "PATROL_PORT" in said.err


def test_place_check_tells_the_bundled_place_from_a_broken_one(terminal: Terminal, tmp_path: Path) -> None:
    good = terminal("place", "check", "taihugang", "--json")
    assert good.code == 0 and good.json == {"place": "taihugang", "ok": True, "faults": []}
    broken = tmp_path / "lake"
    broken.mkdir()
    (broken / "place.toml").write_text("code = 1\n", "utf-8")
    said = terminal("place", "check", broken, "--json")
    assert said.code == 1 and {fault["severity"] for fault in said.json["faults"]} == {"error"}
    spoken = terminal("place", "check", broken)
    assert spoken.code == 1 and "water.geojson" in spoken.err
    assert terminal("place", "check", tmp_path / "nowhere").code == 1


def test_place_import_makes_a_folder_that_passes_the_check(terminal: Terminal, tmp_path: Path) -> None:
    ring = [[112.18, 30.35], [112.19, 30.35], [112.19, 30.36], [112.18, 30.36], [112.18, 30.35]]
    shape = {"type": "Polygon", "coordinates": [ring]}
    file = tmp_path / "water.json"
    file.write_text(json.dumps({"type": "Feature", "properties": {}, "geometry": shape}), "utf-8")
    into = tmp_path / "lake"
    said = terminal("place", "import", file, "--layer", "water", "--crs", "wgs84", "--into", into, "--json")
    assert said.code == 0 and (said.json["layer"], said.json["features"]) == ("water", 1)
    assert terminal("place", "check", into).code == 0
    wrong = terminal("place", "import", file, "--layer", "water", "--crs", "mars", "--into", tmp_path / "x")
    assert wrong.code == 1 and "mars" in wrong.err and not (tmp_path / "x").exists()
    assert set(ground.LAYER_NAMES) == set(LAYERS)


def test_locate_answers_as_documented(terminal: Terminal, data_files: Path) -> None:
    frame = data_files / "drone_lrf" / "H20N_DJI_0006_R.JPG"
    said = terminal("locate", frame, "--json").json
    assert said["method"] == "laser"
    assert set(said) >= {"camera", "method", "warnings", "points", "footprint"}
    assert set(said["points"][0]) >= {"pixel", "lon", "lat", "ce90_m", "method"}
    posed = terminal("locate", frame, "--method", "pose", "--pixel", "100,200", "--pixel", "0,0", "--json").json
    assert [point["pixel"] for point in posed["points"]] == [[100, 200], [0, 0]] and posed["method"] == "pose"
    assert "米" in terminal("locate", frame).out
    outside = terminal("locate", frame, "--pixel", "99999,1", "--json")
    assert outside.code == 1 and outside.out == "" and "不在照片内" in outside.err


def test_locate_of_something_else_is_a_sentence(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("no photo", "utf-8")
    said = terminal("locate", tmp_path / "note.txt", "--json")
    assert said.code == 1 and said.out == "" and said.err


def test_trail_verify_backup_and_restore_walk_through(
    patrol: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environ: dict[str, str]
) -> None:
    patrol("token", "add", "甲", "--role", "office")
    said = patrol("trail", "verify", "--json")
    assert said.code == 0 and said.json["ok"] is True and said.json["lines"] == 2
    assert "完整" in patrol("trail", "verify").out
    if "PATROL_DATABASE_URL" in environ:
        assert "pg_dump" in patrol("backup", tmp_path / "b.tar").err
        return
    assert patrol("backup", tmp_path / "b.tar", "--json").json["keys"] is True
    monkeypatch.setenv("PATROL_DATA", str(tmp_path / "second"))
    back = patrol("restore", tmp_path / "b.tar", "--verify", "--json")
    assert back.code == 0 and back.json["verified"] is True and back.json["lines"] == 2
    refused = patrol("restore", tmp_path / "b.tar")
    assert refused.code == 1 and "不是空的" in refused.err
    assert patrol("token", "list", "--json").json[0]["name"] == "甲"


def test_broken_trail_is_named_and_exits_1(patrol: Terminal, environ: dict[str, str]) -> None:
    from sqlalchemy import text

    patrol("token", "add", "甲", "--role", "office")
    opened = Station.open(Settings.read(environ), may_create=False)
    with opened.engine.begin() as connection:
        connection.execute(text("UPDATE trail SET role = 'chief' WHERE subject = 'house'"))
    opened.close()
    said = patrol("trail", "verify", "--json")
    assert said.code == 1 and said.json["broken"][0]["subject"] == "house" and said.json["broken"][0]["seq"] == 1
    spoken = patrol("trail", "verify")
    assert spoken.code == 1 and "house 台账第 1 行被改过" in spoken.err


def test_tick_does_one_round(patrol: Terminal) -> None:
    assert patrol("tick", "--json").json == {"moved": 0, "tried": 0}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Usage"),
        (["token"], "Usage"),
        (["sevre"], "没有「sevre」这个命令"),
        (["token", "ad"], "是不是「add」"),
        (["token", "add", "x"], "缺少选项 --role。"),
        (["token", "add", "x", "--role", "king"], "可选 office"),
        (["token", "add", "x", "--rolle", "grid"], "没有「--rolle」这个选项"),
        (["token", "add", "x", "y", "--role", "grid"], "多写了参数"),
        (["token", "revoke", "x"], "要写整数"),
        (["token", "add", "--role"], "用得不对"),
        (["serve", "--port", "70000"], "在 0 到 65535 之间"),
        (["locate", "absent.jpg"], "没有这个文件或文件夹（absent.jpg）"),
        (["locate", __file__, "--pixel", "1;2"], "X,Y"),
        (["locate", __file__, "--ground-z", "low"], "要写数"),
        (["locate", ".", "--json"], "读不了"),
        (["backup"], "缺少参数 FILE。"),
        (["demo", "--headless"], "--out"),
    ],
)
def test_wrong_calls_exit_2_with_a_chinese_sentence(terminal: Terminal, arguments: list[str], told: str) -> None:
    said = terminal(*arguments)
    assert said.code == 2 and said.out == ""
    assert told in said.err, said.err


def test_every_command_has_help_and_a_chinese_line(terminal: Terminal) -> None:
    def walk(path: list[str], command: Any) -> Iterator[tuple[list[str], Any]]:
        yield path, command
        for name, sub in getattr(command, "commands", {}).items():
            yield from walk([*path, name], sub)

    for path, command in walk([], cli):
        said = terminal(*path, "--help")
        assert said.code == 0 and said.err == "" and "Usage" in said.out
        assert any("一" <= letter <= "鿿" for letter in command.help)
        for option in command.params:
            assert isinstance(option, click.Argument) or option.help, (path, option.name)


def test_database_that_went_away_is_a_sentence(patrol: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATROL_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    said = patrol("token", "list")
    assert said.code == 2 and "PATROL_DATABASE_URL" in said.err


def test_entry_points_run_quick_and_crash_in_one_sentence(tmp_path: Path, environ: dict[str, str]) -> None:
    env = {**os.environ, **environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "patrol", "--help"], env=env, capture_output=True, text=True, check=True
    )
    assert "migrate" in done.stdout
    code = "from patrol.cli.words import on_crash; import sys; sys.excepthook = on_crash; 1 / 0"
    fell = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert fell.returncode == 1 and "ZeroDivisionError" in fell.stderr and "Traceback" not in fell.stderr
    env["PATROL_LOG_LEVEL"] = "debug"
    told = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert "Traceback" in told.stderr
