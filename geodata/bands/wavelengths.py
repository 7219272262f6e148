"""What a band is called: one canonical name from the many spellings of files, or from a wavelength.

It knows names and nanometres only; it opens no file and never guesses from a band's place in a file.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

# Names that recognition can use; what lies beyond them is named so that it can be refused or left aside.
NAMES = ("blue", "green", "red", "rededge", "nir")
BEYOND = ("coastal", "yellow", "rededge705", "rededge783", "swir1", "swir2", "thermal")

CHINESE: Mapping[str, str] = MappingProxyType(
    {
        "coastal": "深蓝（海岸）",
        "blue": "蓝",
        "green": "绿",
        "yellow": "黄",
        "red": "红",
        "rededge": "红边",
        "rededge705": "红边（705 nm）",
        "rededge783": "红边（783 nm）",
        "nir": "近红外",
        "swir1": "短波红外 1",
        "swir2": "短波红外 2",
        "thermal": "热红外",
    }
)

# Centre wavelengths by camera, from the makers' data sheets (Sentinel-2A, Landsat 8 and GaoFen: the agencies').
WAVELENGTH_NM: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "dji_m3m": {"green": 560, "red": 650, "rededge": 730, "nir": 860},
        "dji_p4m": {"blue": 450, "green": 560, "red": 650, "rededge": 730, "nir": 840},
        "sequoia": {"green": 550, "red": 660, "rededge": 735, "nir": 790},
        "micasense_rededge": {"blue": 475, "green": 560, "red": 668, "rededge": 717, "nir": 840},
        "micasense_altum": {"blue": 475, "green": 560, "red": 668, "rededge": 717, "nir": 840, "thermal": 11000},
        "sentinel2": {
            "coastal": 443,
            "blue": 493,
            "green": 560,
            "red": 665,
            "rededge705": 704,
            "rededge": 741,
            "rededge783": 783,
            "nir": 833,
            "swir1": 1614,
            "swir2": 2202,
        },
        "landsat8": {"coastal": 443, "blue": 482, "green": 561, "red": 655, "nir": 865, "swir1": 1609, "swir2": 2201},
        "gaofen2": {"blue": 485, "green": 555, "red": 660, "nir": 830},
        "gaofen6_wfv": {
            "coastal": 425,
            "blue": 485,
            "green": 555,
            "yellow": 610,
            "red": 660,
            "rededge": 710,
            "nir": 830,
        },
    }
)

# From (inclusive) to (exclusive), nm. Sequoia's near infrared (790) and Sentinel-2's band 7 (783) part at 787.
_RANGES: tuple[tuple[str, float, float], ...] = (
    ("coastal", 400, 447),
    ("blue", 447, 520),
    ("green", 520, 596),
    ("yellow", 596, 622),
    ("red", 622, 695),
    ("rededge705", 695, 712),
    ("rededge", 712, 770),
    ("rededge783", 770, 787),
    ("nir", 787, 930),
    ("swir1", 1500, 1750),
    ("swir2", 2000, 2400),
    ("thermal", 8000, 14000),
)

# A band's own word holds as far as this from its range: "Blue-444" is a blue band, "Red" at 735 nm is not red.
_WORD_HOLDS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "coastal": (380, 460),
        "blue": (400, 530),
        "green": (500, 610),
        "yellow": (570, 640),
        "red": (600, 700),
        "rededge": (685, 787),
        "nir": (750, 1100),
        "swir1": (1400, 1900),
        "swir2": (1900, 2600),
        "thermal": (7000, 15000),
    }
)

_NOMINAL_NM = {"blue": 475.0, "green": 560.0, "red": 665.0, "rededge": 730.0, "nir": 840.0}

_WORDS: Mapping[str, str] = MappingProxyType(
    {word: name for name, words in {
        "coastal": "coastal coastalaerosol aerosol violet ultrablue deepblue 海岸 海岸蓝 深蓝 紫",
        "blue": "blue blu b 蓝 蓝光",
        "green": "green gre grn g 绿 绿光",
        "yellow": "yellow yel 黄 黄光",
        "red": "red r 红 红光",
        "rededge": "rededge redge reg re vre rededge2 re2 红边 红边2",
        "rededge705": "rededge1 re1 红边1",
        "rededge783": "rededge3 re3 红边3",
        "nir": "nir n nearinfrared nearir infrared nir1 vnir 近红外 近红 近红外1",
        "swir1": "swir swir1 swir16 shortwaveinfrared shortwaveinfrared1 短波红外 短波红外1",
        "swir2": "swir2 swir22 shortwaveinfrared2 短波红外2",
        "thermal": "thermal lwir tir thermalinfrared 热红外 热",
    }.items() for word in words.split()}
)  # fmt: skip

_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(nm|nanometers?|nanometres?|纳米|um|μm|micrometers?|micrometres?|micron|微米)")
_BARE = re.compile(r"(?<![\d.])([4-9]\d\d|1\d{3}|2[0-4]\d\d)(?![\d.])")
_TOLERANCE = re.compile(r"\(?\s*(?:±|\+/-|\+-)\s*\d+(?:\.\d+)?\s*\)?")
_FILLERS = re.compile(
    r"\b(?:band|channel|ch|ms|srgb|colou?r(?:interp)?|reflectance|surface|center|centre|wavelength|b\d+a?)\b"
)
_CHINESE_FILLERS = re.compile(r"第?\d*(?:波段|通道)|反射率|中心波长|多光谱")


def to_nm(wavelength: float | None) -> float | None:
    """A wavelength in nanometres from nm or µm (anything below 20 is µm); None for what cannot be one.

    >>> to_nm(0.56), to_nm(665.0), to_nm(10.9), to_nm(0.0), to_nm(None)
    (560.0, 665.0, 10900.0, None, None)
    """
    if wavelength is None or not math.isfinite(wavelength) or wavelength <= 0:
        return None
    nm = wavelength * 1000.0 if wavelength < 20.0 else float(wavelength)
    nm = round(nm, 3)
    return nm if 300.0 <= nm <= 15000.0 else None


def name_at(wavelength: float | None) -> str | None:
    """The canonical name at a wavelength (nm or µm), or None between the named ranges.

    >>> name_at(717), name_at(705), name_at(0.865), name_at(1375)
    ('rededge', 'rededge705', 'nir', None)
    """
    nm = to_nm(wavelength)
    if nm is None:
        return None
    return next((name for name, low, high in _RANGES if low <= nm < high), None)


def wavelength_in(description: str | None) -> float | None:
    """The wavelength in nm that a description states, or None.

    >>> wavelength_in("Band 3 (665 nm)"), wavelength_in("NIR-840"), wavelength_in("0.49 µm"), wavelength_in("Band 3")
    (665.0, 840.0, 490.0, None)
    >>> wavelength_in("560(+/-26)nm")
    560.0
    """
    text = _plain(description)
    found = _LENGTH.search(text)
    if found:
        micro = found[2][0] in "uμm微"
        return to_nm(float(found[1]) * (1000.0 if micro else 1.0))
    bare = _BARE.search(text)
    return to_nm(float(bare[1])) if bare else None


def name_of(description: str | None, wavelength_nm: float | None = None) -> str | None:
    """The canonical name of a band from its description and, if known, its centre wavelength.

    A word and a wavelength that contradict each other: the wavelength counts. "Band 3" and "B04" alone say
    nothing, because their meaning changes from sensor to sensor.

    Parameters: `description` any spelling, English or Chinese, or None; `wavelength_nm` in nm (or µm, if below 20).
    Returns a name of `NAMES` or `BEYOND`, or None.

    >>> name_of("Red edge"), name_of("近红外"), name_of("REG"), name_of("Band 3 (665 nm)"), name_of("NIR-840")
    ('rededge', 'nir', 'rededge', 'red', 'nir')
    >>> name_of("Red", 735.0), name_of("Blue-444"), name_of("SWIR 1"), name_of("B04 (Red)"), name_of("B04")
    ('rededge', 'blue', 'swir1', 'red', None)
    """
    word = _word_of(description)
    nm = to_nm(wavelength_nm)
    if nm is None:
        nm = wavelength_in(description)
    by_length = name_at(nm)
    if word is None or nm is None:
        return word or by_length
    if word.startswith("rededge") and by_length is not None and by_length.startswith("rededge"):
        return by_length
    low, high = _WORD_HOLDS["rededge" if word.startswith("rededge") else word]
    return word if low <= nm <= high else by_length


def names_of(bands: Iterable[tuple[str | None, float | None]]) -> tuple[str | None, ...]:
    """Names of all bands of one raster, none twice: the one nearest the usual wavelength keeps the plain name.

    The others of the same name get their wavelength behind it; without a wavelength they stay None, because
    nobody can tell which of two "red" bands is meant.

    >>> names_of([("Green-531", 531.0), ("Green-560", 560.0), ("Red edge-717", 717.0), ("Red edge-740", 740.0)])
    ('green531', 'green', 'rededge717', 'rededge')
    >>> names_of([("red", None), ("red", None)])
    (None, None)
    """
    rows = [(name_of(text, nm), to_nm(nm) or wavelength_in(text)) for text, nm in bands]
    return tuple(_unique(index, rows) for index in range(len(rows)))


def _unique(index: int, rows: Sequence[tuple[str | None, float | None]]) -> str | None:
    name, nm = rows[index]
    rivals = [other for other, row in enumerate(rows) if row[0] == name]
    if name is None or len(rivals) == 1:
        return name
    if nm is None:
        return None
    known = [other for other in rivals if rows[other][1] is not None]
    nominal = _NOMINAL_NM.get(name, nm)
    best = min(known, key=lambda other: (abs((rows[other][1] or 0.0) - nominal), other))
    if index == best:
        return name
    if any(rows[other][1] == nm for other in known if other != index):
        return None
    return f"{name.rstrip('0123456789')}{nm:.0f}"


def _plain(text: str | None) -> str:
    # NFKC folds the micro sign into the Greek letter and full-width forms into ASCII.
    text = unicodedata.normalize("NFKC", text or "").casefold()
    return _TOLERANCE.sub("", text.replace("µ", "μ")).strip()


def _word_of(description: str | None) -> str | None:
    text = _BARE.sub(" ", _LENGTH.sub(" ", _plain(description)))
    text = re.sub(r"[_\-–—/.,:;()\[\]]+", " ", text)
    text = _CHINESE_FILLERS.sub(" ", text)
    text = re.sub(r"\s+", " ", _FILLERS.sub(" ", text)).strip()
    # "Band 3 red": the number is the band's place, "Red edge 1": the number belongs to the name.
    for candidate in (text, re.sub(r"^\d+\s+", "", text)):
        found = _WORDS.get(candidate.replace(" ", ""))
        if found:
            return found
    return None
