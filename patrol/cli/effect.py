"""Before and after: what changed between two rounds' pictures of one place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from patrol.cli.answers import as_json, give

if TYPE_CHECKING:
    from geodata.effect.compare import Effect

MOST_OUTLINE_BYTES = 5_000_000


@click.command()
@click.argument("before", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("after", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--outline", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="GEOJSON",
              help="问题的轮廓（WGS-84 多边形）；不写就找共同画面里的全部变化。")  # fmt: skip
@click.option("--place", metavar="DIR", help="地点文件夹，用它的水面，只按岸上的地物配准。")
@click.option("--pair", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="把配准后的两张图写进这个文件夹（before.jpg、after.jpg）。")  # fmt: skip
@as_json
def effect(before: Path, after: Path, outline: Path | None, place: str | None, pair: Path | None, json_: bool) -> int:
    """两期影像或照片之间，一处问题是消除、减轻、没变、加重，还是没看清。"""
    from geodata.effect.compare import compare

    water = None
    if place is not None:
        from geodata.place import Place

        water = Place.open(place).water
    found = compare(before, after, _outline(outline), water)
    if pair is not None and found.pair is not None:
        pair.mkdir(parents=True, exist_ok=True)
        (pair / "before.jpg").write_bytes(found.pair.before)
        (pair / "after.jpg").write_bytes(found.pair.after)
    if json_:
        give(found.to_json())
    else:
        _say(found)
    return 0


def _outline(file: Path | None) -> Any:
    """The text of an outline, no longer than any outline is."""
    from geodata.errors import GeoError

    if file is None:
        return None
    if file.stat().st_size > MOST_OUTLINE_BYTES:
        raise GeoError(
            "bad-outline", f"轮廓文件超过 {MOST_OUTLINE_BYTES // 1_000_000} MB，请只留这一处的轮廓。", "outline"
        )
    return file.read_bytes()


def _say(found: Effect) -> None:
    from geodata.effect.verdict import WORDS

    click.echo(f"{WORDS[found.verdict]}　{found.reason}")
    if found.area_before_m2 is not None and found.area_after_m2 is not None:
        click.echo(f"面积　{found.area_before_m2:.1f} → {found.area_after_m2:.1f} 平方米")
    if found.registration is not None and found.gsd_m is not None:
        fit = found.registration
        click.echo(
            f"配准　残差 {fit.residual_px:.2f} 像素（{fit.residual_px * found.gsd_m:.2f} 米），每像素 {found.gsd_m:.3f} 米"
        )
    for one in found.changes[:10]:
        what = {"gone": "消失", "new": "新出现"}.get(one.what, "变了样")
        click.echo(f"变化　{what} {one.area_m2:.1f} 平方米")
    for _, sentence in found.warnings:
        click.echo(f"注意　{sentence}")
