"""`patrol recognise RASTER`: five kinds of problem in one multiband GeoTIFF, as JSON, GeoJSON or a few lines."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from patrol.cli.answers import as_json, aside, give

if TYPE_CHECKING:
    from geodata.recognise import Recognised


@click.command()
@click.argument("raster", type=click.Path(path_type=Path))
@click.option("--place", "place_", help="地点文件夹或自带地点的名字：水面和岸带以它为准；不写就按影像估计水面。")
@click.option(
    "--rules", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="另用一份识别规则（TOML）。"
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="把识别结果写成 GeoJSON。")
@as_json
def recognise(raster: Path, place_: str | None, rules: Path | None, out: Path | None, json_: bool) -> None:
    """识别多光谱影像里的五类问题。结果都是线索，要人核实。"""
    from geodata.recognise import recognise as seen_in

    progress = None if json_ or not sys.stderr.isatty() else _Bar()
    found = seen_in(raster, place_, rules, progress)
    if out is not None:
        out.write_text(json.dumps(_collection(found), ensure_ascii=False, allow_nan=False), encoding="utf-8")
    if json_:
        give(found.as_dict())
    else:
        _say(found, out)


class _Bar:
    """Percent and the seconds left, on a terminal only."""

    def __init__(self) -> None:
        self.began_s = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        used_s = time.monotonic() - self.began_s
        left = f"，约还要 {used_s / done * (total - done):.0f} 秒" if 0 < done < total else ""
        sys.stderr.write(f"\r\033[K识别 {100 * done // max(total, 1):3d} %{left}" + ("\n" if done >= total else ""))
        sys.stderr.flush()


def _collection(found: Recognised) -> dict[str, Any]:
    features = []
    for each in found.detections:
        said = each.as_dict()
        features.append({"type": "Feature", "geometry": said.pop("geometry"), "properties": said})
    return {"type": "FeatureCollection", "features": features}


def _say(found: Recognised, out: Path | None) -> None:
    from patrol.rules.problems import PROBLEMS

    for kind in sorted({each.kind for each in found.detections}):
        mine = [each for each in found.detections if each.kind == kind]
        area_m2 = sum(each.area_m2 for each in mine)
        click.echo(
            f"{PROBLEMS[kind].zh}　{len(mine)} 处，共 {area_m2:.1f} 平方米，把握最高 {max(e.score for e in mine):.2f}"
        )
    rate = found.pixels / 1e6 / max(found.seconds, 1e-9)
    click.echo(
        f"共 {len(found.detections)} 处；{found.pixels / 1e6:.1f} 百万像元，{found.seconds:.1f} 秒（每秒 {rate:.0f} 百万）。"
    )
    for sentence in found.warnings:
        aside(f"提醒　{sentence}")
    if out is not None:
        aside(f"已写到 {out}。")
