"""The files of one exposure: grouped, read, corrected and brought onto one grid.

It recognises nothing and places nothing on the ground: pixels of the stack are pixels of the reference band's
file, whose own metadata say where that is (`geodata/frames`).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from geodata.bands.align import align, reference_of, resample
from geodata.bands.bandtags import BandTags
from geodata.bands.radiometry import MISSING, PanelFactor, Signal, to_signal
from geodata.bands.stack import Remark, Stack, in_chinese
from geodata.bands.warp import Alignment, rig_rotation
from geodata.bands.wavelengths import NAMES, names_of
from geodata.errors import GeoError

MAX_PIXELS = 60_000_000


@dataclass(frozen=True)
class Capture:
    """The single-band files of one exposure, by wavelength; `key` is the same for the same files."""

    key: str
    files: tuple[BandTags, ...]

    @property
    def names(self) -> tuple[str | None, ...]:
        """Canonical band names, none twice, in the order of `files`."""
        return names_of([(tags.name, tags.wavelength_nm) for tags in self.files])


def read_pixels(path: Path) -> NDArray[np.generic]:
    """The numbers of a single-band TIFF, (height, width), as they stand in the file.

    Raises `GeoError`: `broken_band`, `not_single_band`, `too_many_pixels`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, driver="GTiff") as source:
                if source.count != 1:
                    raise GeoError(
                        "not_single_band",
                        f"“{path.name}”有 {source.count} 个波段，不是单波段文件；请按多波段影像导入。",
                    )
                if source.width * source.height > MAX_PIXELS:
                    raise GeoError("too_many_pixels", f"“{path.name}”像素过多，不像单张照片；正射影像请按影像导入。")
                found: NDArray[np.generic] = source.read(1)
                return found
    except RasterioError as fault:
        raise GeoError("broken_band", f"“{path.name}”读不出像素，文件不完整或已损坏；请重新拷贝。") from fault


def load(capture: Capture, panel: Mapping[str, PanelFactor] | None = None, lender: Alignment | None = None) -> Stack:
    """Read, correct and align one exposure.

    Parameters: `capture` of `group`; `panel`, band name -> factor, for every band or for none; `lender`, the
    alignment of a textured capture of the same rig and height, for pictures of plain water.
    Returns `Stack` on the reference band's grid; `meta` holds `key`, `reference` (path), `alignment`, `steps`,
    `missing`, `taken_s`, `spot`.
    Raises `GeoError`: as `read_pixels`, `to_signal` and `align`; `no_bands`, `duplicate_band`, `panel_incomplete`.
    """
    usable, remarks = _usable(capture)
    names = [name for name, _ in usable]
    if panel is not None and any(name not in panel for name in names):
        lacking = "、".join(in_chinese(name) for name in names if name not in panel)
        raise GeoError("panel_incomplete", f"定标板缺{lacking}波段；各波段须用同一次定标，请补齐或全部不用。")
    signals: dict[str, Signal] = {}
    for name, tags in usable:
        # A second red band goes by its wavelength from here on.
        signals[name] = to_signal(read_pixels(tags.path), replace(tags, name=name), (panel or {}).get(name))
    bands = {name: signal.array for name, signal in signals.items()}
    reference = reference_of(names)
    found = align(bands, starts=starts_of(dict(usable), reference), lender=lender)
    array, valid = resample(bands, found)
    if found.borrowed:
        remarks.append(("borrowed_alignment", "画面纹理太少，配准借用了同航高另一张照片的结果，本张未能独立验证。"))
    remarks += _gathered(signals)
    balanced = all(signal.balanced for signal in signals.values()) and _same_steps(signals)
    if not balanced:
        remarks.append(("unbalanced", "波段之间的比例未经定标，指数只可在同一画面内相对比较，不可套用固定阈值。"))
    held = dict(usable)
    return Stack(
        array=array,
        names=tuple(names),
        wavelengths_nm=tuple(tags.wavelength_nm for _, tags in usable),
        reflectance=all(signal.reflectance for signal in signals.values()),
        valid=valid,
        aligned=True,
        balanced=balanced,
        meta=MappingProxyType(
            {
                "key": capture.key,
                "reference": held[reference].path,
                "alignment": found,
                "steps": {name: signal.steps for name, signal in signals.items()},
                "missing": {name: signal.missing for name, signal in signals.items()},
                "taken_s": held[reference].taken_s,
                "spot": held[reference].spot,
            }
        ),
        warnings=tuple(remarks),
    )


def starts_of(files: Mapping[str, BandTags], reference: str) -> dict[str, list[tuple[float, ...]]]:
    """Matrices to start the alignment from, as the maker calibrated the rig: reference pixel -> band pixel."""
    found: dict[str, list[tuple[float, ...]]] = {}
    base = files[reference]
    for name, tags in files.items():
        if name == reference:
            continue
        tries = []
        if tags.homography and base.homography:
            tries.append(_through(tags.homography, base.homography))
        # The rig's own reference lens stands at angle 0, and either sense of rotation is tried.
        for sense in (1.0, -1.0):
            own, other = _turned(tags, sense), _turned(base, sense)
            if own is not None and other is not None:
                tries.append(_flat(own @ np.linalg.inv(other)))
        if tries:
            found[name] = tries
    return found


def _turned(tags: BandTags, sense: float) -> NDArray[np.float64] | None:
    # Parrot leaves the angles out for the lens that the others are measured against.
    relative = tags.rig_relatives_deg or ((0.0, 0.0, 0.0) if tags.rig_index == 0 else ())
    if not relative or tags.focal_px is None or tags.principal_px is None:
        return None
    angles = [sense * angle for angle in relative]
    # A common imaginary lens in the middle, so that any band can be the reference.
    ideal = (tags.focal_px, tags.width_px / 2, tags.height_px / 2)
    return np.asarray(rig_rotation(angles, tags.focal_px, tags.principal_px, ideal)).reshape(3, 3)


def _through(band: Sequence[float], base: Sequence[float]) -> tuple[float, ...]:
    """Reference pixel -> ideal plane -> band pixel, from two matrices that lead to the ideal plane."""
    to_ideal, from_ideal = np.asarray(base).reshape(3, 3), np.asarray(band).reshape(3, 3)
    if abs(np.linalg.det(from_ideal)) < 1e-9:
        return (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    return _flat(np.linalg.inv(from_ideal) @ to_ideal)


def _flat(matrix: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(value) for value in (matrix / matrix[2, 2]).ravel())


def _usable(capture: Capture) -> tuple[list[tuple[str, BandTags]], list[Remark]]:
    """The bands that recognition can use and that fit together, and what was left aside."""
    remarks: list[Remark] = []
    rows = list(zip(capture.names, capture.files, strict=True))
    for name, tags in rows:
        if name is None:
            if tags.name is None:
                raise GeoError("no_name", f"“{tags.path.name}”没有写明是哪个波段；请改用相机原始文件，或写明波长。")
            raise GeoError(
                "duplicate_band", f"同一次曝光里有两个{in_chinese(tags.name)}波段文件，分不清用哪个；请删去多余的一个。"
            )
    known = [(name, tags) for name, tags in rows if name is not None]
    sizes = [(tags.height_px, tags.width_px) for _, tags in known]
    common = max(set(sizes), key=lambda size: (sizes.count(size), size)) if sizes else (0, 0)
    kept: list[tuple[str, BandTags]] = []
    for name, tags in known:
        if name.startswith("thermal") or (tags.height_px, tags.width_px) != common:
            remarks.append(("left_aside", f"{in_chinese(name)}波段（{tags.path.name}）大小或性质不同，未参与配准。"))
        else:
            kept.append((name, tags))
    if not any(name.rstrip("0123456789") in NAMES for name, _ in kept):
        raise GeoError("no_bands", "这次曝光里没有可用的波段（蓝、绿、红、红边、近红外）；请检查文件是否齐全。")
    return kept, remarks


def _same_steps(signals: Mapping[str, Signal]) -> bool:
    return len({signal.steps for signal in signals.values()}) == 1


def _gathered(signals: Mapping[str, Signal]) -> list[Remark]:
    """Remarks of all bands, one sentence for those that several bands share."""
    found: list[Remark] = []
    for code, sentence in MISSING.items():
        bands = [in_chinese(name) for name, signal in signals.items() if code in signal.missing]
        if bands:
            found.append((f"no_{code}", f"{'、'.join(bands)}波段：{sentence}。"))
    for signal in signals.values():
        found += [remark for remark in signal.remarks if remark[0] == "saturated"]
    if not _same_steps(signals):
        found.append(("uneven_bands", "各波段的改正步骤不一致，波段之间的比值不可靠；请检查文件是否来自同一相机。"))
    return found


def order(files: Iterable[BandTags]) -> tuple[BandTags, ...]:
    """Files by wavelength, those without one last and by name."""
    return tuple(sorted(files, key=lambda tags: (tags.wavelength_nm or 1e9, tags.path.name)))
