"""Which band files belong to one exposure: by the camera's own identifier, by name, or by time and place.

It reads tags, never pixels. A file that cannot be read is set aside with its reason; the others go on.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from geodata.bands.bandtags import BandTags, read_band_tags
from geodata.bands.capture import Capture, order
from geodata.errors import GeoError

SAME_S = 0.5
SAME_M = 5.0

# What stands before the band in the names that cameras give.
_STEMS = (
    re.compile(r"^(IMG_\d{6}_\d{6}_\d{4})_(?:GRE|RED|REG|NIR)\.TIFF?$", re.IGNORECASE),  # Sequoia
    re.compile(r"^(IMG_\d{4,})_\d{1,2}\.TIFF?$", re.IGNORECASE),  # MicaSense
    re.compile(r"^(DJI_\d{14}_\d{4}(?:_\w+?)?)_MS_(?:G|R|RE|NIR)\.TIFF?$", re.IGNORECASE),  # DJI Mavic 3M
    re.compile(r"^(.+)[_-](?:BLUE?|GRE(?:EN)?|RED|REG|RED_?EDGE|NIR|RE)\.TIFF?$", re.IGNORECASE),
)


@dataclass(frozen=True)
class Grouped:
    """`captures` in the order of their time and name; `refused`: files that could not be read, and why."""

    captures: tuple[Capture, ...]
    refused: tuple[tuple[Path, GeoError], ...] = ()


@dataclass(frozen=True)
class _Member:
    tags: BandTags
    folder: str
    stem: str

    @property
    def named(self) -> tuple[str, str]:
        return self.folder, self.stem


def stem_of(name: str) -> str:
    """What the files of one exposure share in their names, or an empty text.

    >>> stem_of("IMG_161122_163234_0000_GRE.TIF"), stem_of("DJI_20230309024757_0001_MS_NIR.TIF"), stem_of("a.tif")
    ('IMG_161122_163234_0000', 'DJI_20230309024757_0001', '')
    """
    return next((found[1] for found in (stem.match(name) for stem in _STEMS) if found), "")


def group(files: Iterable[Path | tuple[Path, str]]) -> Grouped:
    """Sort band files into exposures.

    Parameters: `files`, paths, or pairs of path and original name (with its folder) when files are stored under
    other names. First the camera's identifier of the exposure; else the name's stem within a folder, if the times
    are within 0.5 s; else time within 0.5 s and place within 5 m. A file never joins an exposure that has its
    band already, unless the camera's identifier says so.

    >>> group([Path("no/such/file.tif")]).refused[0][1].code
    'no_file'
    """
    members: list[_Member] = []
    refused: list[tuple[Path, GeoError]] = []
    for each in files:
        path, name = each if isinstance(each, tuple) else (each, str(each))
        place = PurePosixPath(name.replace("\\", "/"))
        try:
            members.append(_Member(read_band_tags(path, place.name), str(place.parent), stem_of(place.name)))
        except GeoError as fault:
            refused.append((path, fault))
    members.sort(key=lambda member: (_time(member.tags), member.folder, member.tags.path.name))
    sets = _Sets()
    shared = Counter(member.named for member in members)
    for member in (each for each in members if each.tags.capture_uuid):
        sets.put(member, sets.at_identifier[member.tags.capture_uuid])
    rest = [member for member in members if not member.tags.capture_uuid]
    for member in (each for each in rest if each.stem and shared[each.named] > 1):
        sets.put(member, [held for held in sets.at_name[member.named] if _by_name(member, held)])
    for member in (each for each in rest if not each.stem or shared[each.named] == 1):
        sets.put(member, [held for held in sets.around(member) if _by_moment(member, held)])
    captures = _captures(sets.all)
    return Grouped(tuple(sorted(captures, key=lambda one: (_time(one.files[0]), one.key))), tuple(refused))


class _Sets:
    """The exposures found so far, to be looked up by identifier, by name and by second."""

    def __init__(self) -> None:
        self.all: list[list[_Member]] = []
        self.at_identifier: defaultdict[str, list[list[_Member]]] = defaultdict(list)
        self.at_name: defaultdict[tuple[str, str], list[list[_Member]]] = defaultdict(list)
        self.at_second: defaultdict[int, list[list[_Member]]] = defaultdict(list)

    def put(self, member: _Member, homes: list[list[_Member]]) -> None:
        """Into the first of the homes, or into an exposure of its own."""
        if homes:
            homes[0].append(member)
            return
        held = [member]
        self.all.append(held)
        if member.tags.capture_uuid:
            self.at_identifier[member.tags.capture_uuid].append(held)
        if member.stem:
            self.at_name[member.named].append(held)
        if member.tags.taken_s is not None:
            self.at_second[math.floor(member.tags.taken_s)].append(held)

    def around(self, member: _Member) -> list[list[_Member]]:
        """The exposures of this second and of its neighbours."""
        if member.tags.taken_s is None:
            return []
        second = math.floor(member.tags.taken_s)
        return [held for near in (second, second - 1, second + 1) for held in self.at_second.get(near, [])]


def _captures(sets: list[list[_Member]]) -> list[Capture]:
    """A key each; exposures that share a name (a folder written to twice) are told apart by their number."""
    seen: Counter[str] = Counter()
    found = []
    for held in sets:
        key = _key(held)
        seen[key] += 1
        found.append(Capture(key if seen[key] == 1 else f"{key}#{seen[key]}", order(member.tags for member in held)))
    return found


def _by_name(member: _Member, held: list[_Member]) -> bool:
    return not _stranger(member, held) and _apart_s(member, held[0]) <= SAME_S


def _by_moment(member: _Member, held: list[_Member]) -> bool:
    first = held[0]
    if _stranger(member, held) or member.tags.taken_s is None or first.tags.taken_s is None:
        return False
    here, there = member.tags.spot, first.tags.spot
    near = here is None or there is None or here.distance_m(there) <= SAME_M
    same_camera = (member.tags.make, member.tags.model) == (first.tags.make, first.tags.model)
    return near and same_camera and _apart_s(member, first) <= SAME_S


def _stranger(member: _Member, held: list[_Member]) -> bool:
    """Whether the group has this band already, or is another exposure by the camera's word."""
    mine = member.tags
    if any(mine.name == other.tags.name and mine.wavelength_nm == other.tags.wavelength_nm for other in held):
        return True
    return any(
        mine.capture_uuid and other.tags.capture_uuid and mine.capture_uuid != other.tags.capture_uuid for other in held
    )


def _apart_s(one: _Member, other: _Member) -> float:
    if one.tags.taken_s is None or other.tags.taken_s is None:
        return 0.0
    return abs(one.tags.taken_s - other.tags.taken_s)


def _time(tags: BandTags) -> float:
    return tags.taken_s if tags.taken_s is not None else float("inf")


def _key(held: list[_Member]) -> str:
    uuid = next((member.tags.capture_uuid for member in held if member.tags.capture_uuid), "")
    stem = next((f"{member.folder}/{member.stem}" for member in held if member.stem), "")
    return uuid or stem or min(member.tags.path.name for member in held)
