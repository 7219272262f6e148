"""What people see of a frame: a clean rendition of a photo, or a drawn view of a multiband file. Never the original."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from sqlalchemy import select

from geodata.errors import GeoError
from patrol import models as m
from patrol.actions import blurring
from patrol.errors import BadInput, Fault, Missing
from patrol.station import Station, Work

if TYPE_CHECKING:
    from geodata.bands.preview import Window
    from geodata.bands.raster import Held, Raster


def find_frame(work: Work, flight: m.Flight, ref: str) -> m.Frame:
    row = work.session.scalar(select(m.Frame).where(m.Frame.ref == ref, m.Frame.flight_id == flight.id))
    if row is None:
        raise Missing("没有这张航片。")
    return row


def members_of(work: Work, frame: m.Frame) -> list[m.Frame]:
    """The bands a capture was put together from, in order; none of any other frame."""
    ids = frame.facts.get("members", []) if frame.kind == "stack" else []
    return list(work.session.scalars(select(m.Frame).where(m.Frame.id.in_(ids)).order_by(m.Frame.id)))


def picture(
    station: Station, frame: m.Frame, members: list[m.Frame], view: str, side_px: int, window: Window | None = None
) -> bytes:
    """A JPEG of one frame: `auto`, or a named view of a file with bands. `window` in pixels of the file."""
    if frame.kind == "log":
        raise Missing("飞行日志没有画面。")
    if frame.kind == "photo":
        if view != "auto":
            raise BadInput(Fault("/view", "unknown_view", "普通照片没有波段，view 只能是 auto。"))
        return blurring.shown(station, frame.sha256, side_px)
    from geodata.bands.preview import preview

    try:
        with ExitStack() as lent:
            return preview(_source(station, frame, members, lent), view, side_px, window)
    except GeoError as error:
        raise BadInput(Fault(f"/{error.where or 'view'}", error.code, error.sentence)) from None


def views(station: Station, frame: m.Frame, members: list[m.Frame]) -> dict[str, str]:
    """The views a frame can be shown in, with their Chinese words."""
    if frame.kind in ("photo", "log"):
        return {"auto": "照片"} if frame.kind == "photo" else {}
    from geodata.bands.preview import views as of_source

    try:
        with ExitStack() as lent:
            return of_source(_source(station, frame, members, lent))
    except GeoError:
        return {}


def _source(station: Station, frame: m.Frame, members: list[m.Frame], lent: ExitStack) -> Raster | Held:
    from affine import Affine

    from geodata.bands.capture import load
    from geodata.bands.grid import AffineGrid
    from geodata.bands.grouping import group
    from geodata.bands.raster import Held, open_raster

    if frame.kind == "raster":
        return open_raster(lent.enter_context(station.store.lend(frame.sha256)))
    if frame.kind == "stack":
        paths = [(lent.enter_context(station.store.lend(each.sha256)), each.name) for each in members]
        return Held(load(group(paths).captures[0]), AffineGrid(Affine.identity(), ""))  # drawn, not placed
    raise GeoError("single_band", "单个波段的文件没有预览；请看它所在的多光谱组。", "view")
