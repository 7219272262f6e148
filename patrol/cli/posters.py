"""Location posters: `patrol posters OUT`."""

from __future__ import annotations

from pathlib import Path

import click

from patrol.cli.answers import knobs


@click.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--from", "from_m", type=click.IntRange(0, 999_999), default=0, help="从第几米起。")
@click.option("--to", "to_m", type=click.IntRange(0, 999_999), default=None, help="到第几米止；不写就到河段末尾。")
@click.option("--url", default="", help="公众打开的网址；不写就用 PATROL_PUBLIC_URL。")
def posters(out: Path, from_m: int, to_m: int | None, url: str) -> int:
    """位置码海报：每 100 米桩号一张 A4，扫码打开这个位置的举报页，存成一个 PDF。"""
    from geodata.place import Place
    from patrol.errors import Misconfigured
    from patrol.gateways import posters as sheets

    settings = knobs()
    base = url or settings.public_url
    if not base.startswith(("https://", "http://")):
        raise Misconfigured("海报要印上公众打得开的网址：设 PATROL_PUBLIC_URL，或加 --url https://…。")
    place = Place.open(settings.place)
    found = sheets.marks(place, from_m, to_m)
    out.write_bytes(sheets.render(place, base, found))
    click.echo(f"{len(found)} 张，存在 {out}。")
    return 0
