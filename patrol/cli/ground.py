"""Places and photographs: check and import a place's layers, locate a frame's pixels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from patrol.cli.answers import as_json, give

if TYPE_CHECKING:
    from geodata.errors import GeoError

# the words of geodata.layers.LAYERS, which is too heavy to import for --help; a test compares
LAYER_NAMES = ("centreline", "water", "key_areas", "grids", "outfalls")


@click.group()
def place() -> None:
    """地点文件夹：检查和导入图层。"""


@place.command()
@click.argument("folder", metavar="DIR")
@as_json
def check(folder: str, json_: bool) -> int:
    """检查一个地点文件夹（或自带地点的名字），一次列出全部问题。"""
    from geodata.place_check import check as examine

    found = examine(folder)
    errors = [fault for fault in found if not _is_warning(fault)]
    if json_:
        give({"place": folder, "ok": not errors, "faults": [_fault(fault) for fault in found]})
    else:
        for fault in found:
            click.echo(f"{'提醒' if _is_warning(fault) else '错误'}　{fault.sentence}", err=not _is_warning(fault))
        if not errors:
            click.echo(f"可以用，有 {len(found)} 处提醒。" if found else "没有问题。")
    return 1 if errors else 0


@place.command("import")
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--layer", type=click.Choice(LAYER_NAMES), required=True, help="导入成哪个图层。")
@click.option("--crs", required=True, help="文件里坐标是什么坐标系：wgs84、cgcs2000、gcj02、bd09 或 EPSG:代号。")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), required=True,
              help="地点文件夹，没有就新建。")  # fmt: skip
@as_json
def import_(file: Path, layer: str, crs: str, into: Path, json_: bool) -> None:
    """把 GeoJSON、Shapefile、GeoPackage 或 KML 文件导入成一个图层；有错就一点不改。"""
    from geodata.intake import import_layer

    done = import_layer(file, layer, crs, into)
    if json_:
        give({"into": str(into), "layer": done.layer, "features": done.features, "notes": list(done.notes),
              "faults": [_fault(fault) for fault in done.faults]})  # fmt: skip
        return
    click.echo(f"{into} 的 {done.layer} 图层导入了 {done.features} 个要素。")
    for note in done.notes:
        click.echo(f"说明　{note}")
    for fault in done.faults:
        click.echo(f"{'提醒' if _is_warning(fault) else '还缺'}　{fault.sentence}")


def _is_warning(fault: GeoError) -> bool:
    return fault.facts.get("severity") == "warning"


def _fault(fault: GeoError) -> dict[str, Any]:
    return {
        "severity": "warning" if _is_warning(fault) else "error",
        "code": fault.code, "where": fault.where, "sentence": fault.sentence,
    }  # fmt: skip


class _Pixel(click.ParamType[tuple[float, float]]):
    name = "X,Y"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        if isinstance(value, tuple):
            return value
        parts = str(value).replace("，", ",").split(",")
        try:
            x, y = (float(part) for part in parts)
        except ValueError:
            self.fail("要写成 X,Y，如 2000,1500", param, ctx)
        return x, y


@click.command()
@click.argument("photo", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--pixel", "pixels", type=_Pixel(), multiple=True, help="像素 X,Y，左上角为 0,0，可写多次；不写就是中心。"
)
@click.option("--method", type=click.Choice(["auto", "laser", "pose"]), default="auto", help="默认 auto。")
@click.option("--ground-z", "ground_z_m", type=float, metavar="M", help="地面比起飞点高多少米，低为负。")
@click.option("--adjust-with", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
              help="同一架次其他照片所在的文件夹：先与重叠的照片一起平差，再定位。")  # fmt: skip
@as_json
def locate(
    photo: Path,
    pixels: tuple[tuple[float, float], ...],
    method: str,
    ground_z_m: float | None,
    folder: Path | None,
    json_: bool,
) -> None:
    """一张无人机照片上的像素在地面哪里，误差多大。"""
    if folder is None:
        from geodata.frames.locate import locate as find

        answer = find(photo, list(pixels), method, ground_z_m)
    elif method == "laser":
        raise click.UsageError("--adjust-with 平差的是云台姿态，不能与 --method laser 一起用。")
    else:
        from geodata.frames.together import locate_together

        answer = locate_together(photo, folder, list(pixels), ground_z_m)
    if json_:
        give(answer)
        return
    camera = answer["camera"]
    if camera["lon"] is not None:
        click.echo(f"相机　{camera['lon']:.7f}, {camera['lat']:.7f}")
    for point in answer["points"]:
        x, y = point["pixel"]
        where = (
            "定不出" if point["lon"] is None else f"{point['lon']:.7f}, {point['lat']:.7f} ±{point['ce90_m']:.1f} 米"
        )
        click.echo(f"像素 {x:g},{y:g}　{where}（{point['method']}）")
    if folder is not None:
        _tell_adjustment(answer["adjustment"])
    for remark in answer["warnings"]:
        click.echo(f"注意　{remark['sentence']}")


def _tell_adjustment(told: dict[str, Any]) -> None:
    if told["pairs"]:
        before, after = told["median_m"]["before"], told["median_m"]["after"]
        click.echo(
            f"平差　{told['frames']} 张照片、{told['pairs']} 对、{told['matches']} 个同名点；"
            f"同一地点在两张照片里相差（中位数）平差前 {before:.2f} 米，平差后 {after:.2f} 米（未参加拟合的点）。"
        )
    for left in told["left_out"]:
        click.echo(f"未用　{left['sentence']}")
