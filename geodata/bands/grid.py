"""From the pixels of a picture to WGS-84 and back: a georeferenced raster, or a frame with its camera's pose.

Pixels are (x, y) from the upper left corner of the picture, so that pixel (0, 0) covers 0 to 1. It knows places
only, no values; heights beyond the frame's flat ground are not its business.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from geodata.crs import LocalXY, local_xy
from geodata.errors import GeoError
from geodata.frames.camera import Camera, distort
from geodata.frames.project import MIN_DEPRESSION_DEG, Pose, Sigma, axes, ground_covariance, ground_points, to_plane
from geodata.frames.project import to_lonlat as from_plane

Array = NDArray[np.float64]


class Grid(Protocol):
    """Where the pixels of a picture lie."""

    def to_lonlat(self, pixels: ArrayLike) -> Array:
        """Pixels (n, 2) to longitude and latitude (n, 2), degrees; NaN rows where a pixel sees no ground."""

    def to_pixels(self, places: ArrayLike) -> Array:
        """Longitude and latitude (n, 2) to pixels (n, 2); NaN rows where a place cannot be in the picture."""

    def covariance(self, pixels: ArrayLike) -> Array | None:
        """Covariances (n, 2, 2) over east and north, m², of the places of pixels, or None when unknown."""

    def fault(self, width_px: int, height_px: int) -> str:
        """Why a picture of this size has no place, as a Chinese sentence, or empty."""


@dataclass(frozen=True)
class AffineGrid:
    """A geotransform (rotated and sheared ones too) in any projected or geographic system."""

    transform: Affine
    wkt: str = field(repr=False)

    @classmethod
    def of(cls, transform: Affine, wkt: str) -> AffineGrid:
        """Checked: raises `GeoError` with code `no_crs` for a system that has no longitude and latitude."""
        try:
            crs = CRS.from_wkt(wkt)
            if not (crs.is_projected or crs.is_geographic):
                raise CRSError("neither projected nor geographic")
        except CRSError as error:
            raise GeoError("no_crs", "影像的坐标系读不懂，不能换算成经纬度；请换常用坐标系重新导出。", "crs") from error
        return cls(transform, wkt)

    @cached_property
    def _to_degrees(self) -> Transformer:
        return Transformer.from_crs(CRS.from_wkt(self.wkt), CRS.from_epsg(4326), always_xy=True)

    def to_lonlat(self, pixels: ArrayLike) -> Array:
        """See `Grid`.

        >>> grid = AffineGrid.of(Affine(1e-6, 0, 112.18, 0, -1e-6, 30.35), CRS.from_epsg(4326).to_wkt())
        >>> np.round(grid.to_lonlat([[10, 20]]), 6).tolist()
        [[112.18001, 30.34998]]
        """
        points = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
        x, y = self.transform @ (points[:, 0], points[:, 1])
        lon, lat = self._to_degrees.transform(x, y)
        places = np.column_stack((lon, lat))
        places[~np.isfinite(places).all(axis=1)] = np.nan
        return places

    def to_pixels(self, places: ArrayLike) -> Array:
        """See `Grid`."""
        pairs = np.asarray(places, dtype=np.float64).reshape(-1, 2)
        x, y = self._to_degrees.transform(pairs[:, 0], pairs[:, 1], direction="INVERSE")
        columns, rows = ~self.transform @ (np.asarray(x), np.asarray(y))
        pixels = np.column_stack((columns, rows))
        pixels[~np.isfinite(pixels).all(axis=1)] = np.nan
        return pixels

    def covariance(self, pixels: ArrayLike) -> Array | None:
        """Unknown: a raster does not say how well it was placed."""
        return None

    def fault(self, width_px: int, height_px: int) -> str:
        """See `Grid`."""
        corners = np.array([[0, 0], [width_px, 0], [width_px, height_px], [0, height_px]], dtype=np.float64)
        try:
            places = self.to_lonlat(corners)
        except ProjError:
            return "影像的坐标系换算不成经纬度；请换常用坐标系重新导出。"
        lost = np.isnan(places).any() or (np.abs(places) > (180.0, 90.0)).any()
        return "影像的位置换算成经纬度后不在地球上；请检查坐标系和地理变换。" if lost else ""


@dataclass(frozen=True)
class PoseGrid:
    """A frame that was not rectified: camera, pose over flat ground at `ground_z_m`, and its errors.

    `lon`, `lat`: WGS-84 of the pose's plane origin. `sigma` None: no covariance.
    """

    camera: Camera
    pose: Pose
    lon: float
    lat: float
    ground_z_m: float = 0.0
    sigma: Sigma | None = None

    def to_lonlat(self, pixels: ArrayLike) -> Array:
        """See `Grid`.

        >>> camera = Camera(4000, 3000, 2000.0, 2000.0, 2000.0, 1500.0, "dewarp", 0.003)
        >>> grid = PoseGrid(camera, Pose(0.0, -90.0, 0.0, 40.0), 112.18, 30.35)
        >>> np.round(grid.to_lonlat([[2000, 1500]]), 6).tolist()
        [[112.18, 30.35]]
        >>> np.round(grid.to_pixels(grid.to_lonlat([[3000, 100]])), 3).tolist()
        [[3000.0, 100.0]]
        """
        points = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
        ground = ground_points(self.camera, self.pose, points, self.ground_z_m)
        seen = np.isfinite(ground).all(axis=1)
        places = np.full((len(points), 2), np.nan)
        places[seen] = from_plane(self.lon, self.lat, ground[seen])
        return places

    def to_pixels(self, places: ArrayLike) -> Array:
        """See `Grid`."""
        ground = to_plane(self.lon, self.lat, places)
        away = np.column_stack(
            (
                ground - (self.pose.east_m, self.pose.north_m),
                np.full(len(ground), self.ground_z_m - self.pose.height_m),
            )
        )
        view = away @ axes(self.pose.yaw_deg, self.pose.pitch_deg, self.pose.roll_deg).T
        steep = -away[:, 2] > np.linalg.norm(away, axis=1) * np.sin(np.radians(MIN_DEPRESSION_DEG))
        ahead = (view[:, 2] > 1e-6) & steep
        ideal = view[:, :2] / np.where(ahead, view[:, 2], 1.0)[:, None]
        # Far outside of the picture the lens polynomial folds back; such places are not in the picture anyway.
        near = ahead & (np.abs(ideal) < 3.0 * np.array([self.camera.width_px, self.camera.height_px])
                        / (self.camera.fx_px, self.camera.fy_px)).all(axis=1)  # fmt: skip
        bent = distort(ideal, self.camera.distortion) if any(self.camera.distortion) else ideal
        pixels = bent * (self.camera.fx_px, self.camera.fy_px) + (self.camera.cx_px, self.camera.cy_px)
        pixels[~near] = np.nan
        return np.asarray(pixels)

    def covariance(self, pixels: ArrayLike) -> Array | None:
        """See `Grid`."""
        if self.sigma is None:
            return None
        points = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
        return ground_covariance(self.camera, self.pose, self.sigma, points, self.ground_z_m)

    def fault(self, width_px: int, height_px: int) -> str:
        """See `Grid`."""
        if (width_px, height_px) != (self.camera.width_px, self.camera.height_px):
            return f"影像是 {width_px}×{height_px} 像元，与相机模型的 {self.camera.width_px}×{self.camera.height_px} 不符。"
        centre = self.to_lonlat([[width_px / 2, height_px / 2]])
        return "画面中心看不到地面（镜头朝上或相机不高于地面），不能识别。" if np.isnan(centre).any() else ""


def frame_at(grid: Grid, width_px: int, height_px: int) -> LocalXY:
    """A local metre frame at the middle of a picture. Raises `GeoError` with code `no_position`."""
    fault = grid.fault(width_px, height_px)
    if fault:
        raise GeoError("no_position", fault, "transform")
    lon, lat = grid.to_lonlat([[width_px / 2, height_px / 2]])[0]
    return local_xy(float(lon), float(lat))


def pixel_areas_m2(grid: Grid, pixels: ArrayLike, frame: LocalXY) -> Array:
    """Ground area in m² of the pixels centred at (n, 2), by their Jacobian in local metres around each.

    >>> grid = AffineGrid.of(Affine(0.5, 0, 615000, 0, -0.5, 3358000), CRS.from_epsg(32649).to_wkt())
    >>> bool(0.2496 < pixel_areas_m2(grid, [[10, 10]], frame_at(grid, 20, 20))[0] < 0.2504)
    True
    """
    centre = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
    steps = np.array([[0.5, 0.0], [-0.5, 0.0], [0.0, 0.5], [0.0, -0.5]])
    places = grid.to_lonlat((centre[:, None, :] + steps).reshape(-1, 2))
    metres = in_metres(places, frame).reshape(-1, 4, 2)
    across, down = metres[:, 0] - metres[:, 1], metres[:, 2] - metres[:, 3]
    return np.asarray(np.abs(across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0]))


def in_metres(places: Array, frame: LocalXY) -> Array:
    """Longitude-latitude pairs (n, 2) as east-north metres (n, 2) of a local frame."""
    x_m, y_m = frame.forward(places[:, 0], places[:, 1])
    pairs: Any = np.column_stack((x_m, y_m))
    return np.asarray(pairs)
