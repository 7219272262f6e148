"""Where a plume, or a sewage issue reported on foot, may come from: ranked outfalls, and the unregistered one.

A probability here orders a search; it accuses nobody. Its model is stated in `trace` and proven only on
generated reaches. Pure arithmetic on chainages: it reads no picture, no place and no database.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from geodata.crs import distance_m
from geodata.errors import GeoError
from geodata.river import BANK_WORDS, Bank, River, words

REACH_M = 500.0
"""How far upstream a source is looked for."""
UNREGISTERED = 0.25
"""The share of discharges that no register knows, before anything is seen; a street office may know better."""
DRIFT_HEAD_M = 4.0
"""Mean distance from a mouth to where its plume is first seen; submerged mouths surface a little downstream."""
DRIFT_POINT_M = 60.0
"""Mean distance from a mouth to where a person, who saw no head, reports the water."""
REGISTER_ERROR_M = 3.0
"""One-sigma error of a registered outfall's own position."""
CE90_SIGMAS = 2.1460
"""The radius that holds 90 % of a round two-dimensional normal error, in its sigmas."""
LEAST_SIDE = 0.01
"""A bank less likely than this is not searched."""


class Source(Protocol):
    """Anything registered that may discharge: an outfall of a place, a ditch's mouth, a pumping station."""

    @property
    def code(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def lon(self) -> float: ...
    @property
    def lat(self) -> float: ...


@dataclass(frozen=True)
class Clue:
    """What is to be traced: WGS-84 position, its 90 % radius in metres, the bank if somebody saw it.

    `is_head`: the place is a plume's upstream end; otherwise only some point of the bad water.
    """

    lon: float
    lat: float
    error_m: float = 5.0
    bank: Bank | None = None
    is_head: bool = False


@dataclass(frozen=True)
class Candidate:
    """One possible source. `along_m` is metres upstream of the clue; `distance_m` as the crow flies.

    `kind`: `outfall`, `upstream` or `unregistered`. The unregistered one has an empty code, and the stretch
    `from_m` … `to_m` (chainages) to be walked; for the others both are their own chainage.
    """

    code: str
    name: str
    kind: str
    bank: Bank | None
    chainage_m: float
    distance_m: float
    along_m: float
    probability: float
    from_m: float
    to_m: float
    why: str


@dataclass(frozen=True)
class _Seen:
    """The clue as a place on the river: chainage, its sigma, mean drift, and how likely each bank is."""

    clue: Clue
    chainage_m: float
    sigma_m: float
    drift_m: float
    sides: Mapping[Bank, float]

    @property
    def banks(self) -> tuple[Bank, ...]:
        """The banks worth searching."""
        return tuple(bank for bank, share in self.sides.items() if share >= LEAST_SIDE)


def trace(
    clue: Clue,
    river: River,
    outfalls: Iterable[Source],
    others: Iterable[Source] = (),
    weights: Mapping[str, float] | None = None,
    reach_m: float = REACH_M,
    unregistered: float = UNREGISTERED,
) -> list[Candidate]:
    """Possible sources upstream of a clue on its bank, likeliest first; the probabilities sum to 1.

    Parameters: `outfalls` and `others` (ditches, tributaries, pumping stations), in WGS-84; `weights`, code ->
    prior weight, 1 where absent (a useful one is 1 + the issues found there in two years, 0 for a mouth that
    is bricked up); `reach_m`, metres searched upstream; `unregistered`, prior share of unknown sources, 0 … 1.

    Model: a discharge comes from one of the sources in reach (prior by weight) or, with the share
    `unregistered`, from anywhere in reach at even density. It is seen downstream of its mouth by an
    exponential distance (4 m for a head, 60 m for a point), blurred by the normal error of the position and
    of the register. Both banks count where the position does not tell them apart.

    Raises GeoError `bad-position`, `off-river`, `bad-error`, `bad-weight`, `bad-reach` or `bad-share`.

    >>> from shapely.geometry import LineString
    >>> river = River.along(LineString([(112.18, 30.35), (112.19, 30.35)]))
    >>> @dataclass(frozen=True)
    ... class Mouth:
    ...     code: str
    ...     name: str
    ...     lon: float
    ...     lat: float
    >>> mouths = [Mouth("PK01", "一号", *river.point_at(300.0, 20.0)), Mouth("PK02", "二号", *river.point_at(150.0, 20.0))]
    >>> found = trace(Clue(*river.point_at(304.0, 19.0), 3.0, "left", True), river, mouths)
    >>> [(one.code, round(one.along_m)) for one in found], round(sum(one.probability for one in found), 9)
    ([('PK01', 4), ('', 2), ('PK02', 154)], 1.0)
    """
    prior = dict(weights or {})
    _check(clue, prior, reach_m, unregistered)
    seen = _seen(clue, river)
    lowest_m = max(seen.chainage_m - reach_m, 0.0)
    highest_m = min(seen.chainage_m + 4.0 * seen.sigma_m, river.length_m)
    found: list[tuple[Candidate, float]] = []
    for kind, group in (("outfall", outfalls), ("upstream", others)):
        for source in group:
            at = river.chainage_of(source.lon, source.lat)
            weight = prior.get(source.code, 1.0)
            if not lowest_m <= at.chainage_m <= highest_m or at.bank not in seen.banks or weight <= 0.0:
                continue
            along_m = seen.chainage_m - at.chainage_m
            found.append(
                (
                    Candidate(
                        source.code,
                        source.name,
                        kind,
                        at.bank,
                        at.chainage_m,
                        distance_m(clue.lon, clue.lat, source.lon, source.lat),
                        along_m,
                        _density(along_m, math.hypot(seen.sigma_m, REGISTER_ERROR_M), seen.drift_m)
                        * seen.sides[at.bank],
                        at.chainage_m,
                        at.chainage_m,
                        _why(along_m, at.bank, seen, weight),
                    ),
                    weight,
                )
            )
    unknown = _unregistered(river, seen, lowest_m, highest_m, bool(found))
    whole = sum(weight for _, weight in found)
    parts = [(one, (1.0 - unregistered) * weight / whole * one.probability) for one, weight in found]
    # Nothing registered in reach leaves only the unknown, whatever share it was given.
    parts.append((unknown, (unregistered if found else 1.0) * unknown.probability))
    total = sum(part for _, part in parts)
    if total <= 0.0:  # a share of 0 and mouths out of all likelihood: say "unknown" rather than divide by nothing
        parts, total = [(one, float(one is unknown)) for one, _ in parts], 1.0
    ranked = [Candidate(**{**vars(one), "probability": part / total}) for one, part in parts]
    return sorted(ranked, key=lambda one: (-one.probability, one.along_m, one.code))


def _check(clue: Clue, weights: Mapping[str, float], reach_m: float, unregistered: float) -> None:
    if not (math.isfinite(clue.error_m) and clue.error_m > 0.0):
        raise GeoError("bad-error", "位置误差应是大于零的米数。", "error_m")
    if not (math.isfinite(reach_m) and reach_m > 0.0):
        raise GeoError("bad-reach", "向上游追查的距离应是大于零的米数。", "reach_m")
    if not 0.0 <= unregistered <= 1.0:
        raise GeoError("bad-share", "未登记排口的比例应在 0 到 1 之间。", "unregistered")
    for code, weight in weights.items():
        if not (math.isfinite(weight) and weight >= 0.0):
            raise GeoError("bad-weight", f"排口 {code} 的权重应是不小于零的数。", code)


def _seen(clue: Clue, river: River) -> _Seen:
    at = river.chainage_of(clue.lon, clue.lat)
    sigma_m = clue.error_m / CE90_SIGMAS
    bank = clue.bank or at.bank
    other: Bank = "right" if bank == "left" else "left"
    own = 1.0 if clue.bank else 0.5 * math.erfc(-at.offset_m / sigma_m / math.sqrt(2.0))
    sides: dict[Bank, float] = {bank: own, other: 1.0 - own}
    return _Seen(clue, at.chainage_m, sigma_m, DRIFT_HEAD_M if clue.is_head else DRIFT_POINT_M, sides)


def _density(along_m: float, sigma_m: float, drift_m: float) -> float:
    """Density per metre of seeing a source `along_m` downstream of itself: exponential drift, normal error.

    >>> round(sum(_density(0.1 * step, 2.0, 4.0) for step in range(-300, 2000)) * 0.1, 6)
    1.0
    """
    z = (sigma_m / drift_m - along_m / sigma_m) / math.sqrt(2.0)
    if z < 5.0:
        return math.exp(sigma_m**2 / (2 * drift_m**2) - along_m / drift_m) * math.erfc(z) / (2 * drift_m)
    # exp overflows where erfc vanishes: their product by erfc's own asymptote
    tail = (1.0 - 0.5 / z**2) / (z * math.sqrt(math.pi))
    return math.exp(-(along_m**2) / (2 * sigma_m**2)) * tail / (2 * drift_m)


def _unregistered(river: River, seen: _Seen, lowest_m: float, highest_m: float, others: bool) -> Candidate:
    """A source nobody registered: its evidence is even over the reach; the stretch holds 90 % of it."""
    span_m = max(highest_m - lowest_m, 1e-3)
    count = 400
    step_m = span_m / count
    spots = [lowest_m + (index + 0.5) * step_m for index in range(count)]
    density = [_density(seen.chainage_m - spot, seen.sigma_m, seen.drift_m) for spot in spots]
    mass = sum(density)
    by_height = sorted(range(count), key=lambda index: -density[index])
    held, reached = [], 0.0
    for index in by_height:
        held.append(index)
        reached += density[index]
        if reached >= 0.9 * mass:
            break
    from_m, to_m = spots[min(held)] - step_m / 2, spots[max(held)] + step_m / 2
    mode_m = spots[by_height[0]]
    bank = seen.banks[0] if len(seen.banks) == 1 else None
    side = BANK_WORDS[bank] if bank else "两岸"
    stretch = f"{words(from_m)} 到 {words(to_m)}"
    reason = "也可能是没有登记的排口" if others else "上游追查范围内没有登记的排口，可能是没有登记的"
    lon, lat = river.point_at(mode_m)
    return Candidate(
        "",
        "未登记的排口",
        "unregistered",
        bank,
        mode_m,
        distance_m(seen.clue.lon, seen.clue.lat, lon, lat),
        seen.chainage_m - mode_m,
        mass * step_m / span_m / len(seen.banks),
        from_m,
        to_m,
        f"{reason}，建议沿{side} {stretch} 逐段查找。",
    )


def _why(along_m: float, bank: Bank, seen: _Seen, weight: float) -> str:
    where = (
        f"在上游 {along_m:.0f} 米" if along_m >= 0.5 else f"在下游 {-along_m:.0f} 米" if along_m <= -0.5 else "就在此处"
    )
    side = f"同在{BANK_WORDS[bank]}" if len(seen.banks) == 1 else f"在{BANK_WORDS[bank]}（岸别不能确定）"
    what = "污水带起点" if seen.clue.is_head else "发现位置"
    near = "以内" if abs(along_m) <= seen.clue.error_m else "以外"
    past = "，此处以往多发" if weight > 1.0 else "，此处以往少发" if weight < 1.0 else ""
    return f"{where}，{side}，在{what}误差（±{seen.clue.error_m:.1f} 米）{near}{past}。"
