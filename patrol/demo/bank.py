"""Sample photographs, drawn: one river bank before, during and after. Same seed, same picture.

Every picture says 样例 on its face, so that none can be taken for a real one. It knows nothing of issues.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from PIL import Image, ImageDraw

from patrol.demo.paint import LITTER, jitter, marked, mix, saved

SIZE = (640, 480)


@dataclass
class _Scene:
    """One bank as a person sees it: horizon, near shore and light are its own."""

    image: Image.Image
    draw: ImageDraw.ImageDraw
    rng: random.Random
    left: float  # height of the near shore at the left edge, as a share of the picture
    right: float
    horizon: float

    def shore(self, x: float) -> float:
        """Pixel row of the near shore at column `x`."""
        width, height = self.image.size
        bend = math.sin(x / width * math.pi) * 0.03
        return height * (self.left + (self.right - self.left) * x / width + bend)

    def on_water(self, near: float = 0.85) -> tuple[float, float]:
        """A random point of the water, nearer ones more often."""
        width, height = self.image.size
        x = self.rng.uniform(0.05, 0.95) * width
        top, bottom = height * self.horizon + 14, self.shore(x) - 6
        return x, top + (bottom - top) * min(near, math.sqrt(self.rng.random()))

    def on_bank(self) -> tuple[float, float]:
        width, height = self.image.size
        x = self.rng.uniform(0.15, 0.85) * width
        top = self.shore(x) + 20
        return x, top + (height - 40 - top) * self.rng.random() * 0.3


def bank_photo(kind: str, stage: str, seed: int, hand: str = "") -> bytes:
    """A JPEG of one bank: `stage` before (as found), during (work going on) or after (done); another `hand`
    holds the phone elsewhere."""
    scene = _scene(seed)
    left = {"before": 1.0, "during": 0.35, "after": 0.0}[stage]
    order = random.Random(f"{seed}:things")
    scene.rng = order
    _THINGS.get(kind, _other)(scene, left, stage)
    if stage == "during":
        _crew(scene)
    shaken = _shake(scene.image, random.Random(f"{seed}:{stage}:{hand}"))
    return saved(marked(shaken, "画面为绘制的样例，不是实拍"))


def _scene(seed: int) -> _Scene:
    """The empty scene of a seed, on a canvas of its own."""
    kept = _empty(seed)
    image = kept.image.copy()
    return replace(kept, image=image, draw=ImageDraw.Draw(image))


@lru_cache(maxsize=64)
def _empty(seed: int) -> _Scene:
    rng = random.Random(f"{seed}:scene")
    width, height = SIZE
    horizon = rng.uniform(0.18, 0.46)
    steep = rng.choice((-1, 1)) * rng.uniform(0.08, 0.34)
    middle = rng.uniform(0.62, 0.80)
    left, right = middle + steep / 2, middle - steep / 2
    light = rng.uniform(0.55, 1.0)
    sky_top = mix((60, 84, 110), jitter(rng, (142, 186, 224)), light)
    sky_low = mix((120, 120, 122), jitter(rng, (224, 232, 234)), light)
    water_far = mix((54, 70, 70), jitter(rng, (148, 176, 172)), light)
    water_near = mix((30, 52, 50), jitter(rng, (84, 120, 112)), light)
    image = Image.new("RGB", SIZE, sky_top)
    draw = ImageDraw.Draw(image)
    top = round(height * horizon)
    for row in range(top):
        draw.line((0, row, width, row), fill=mix(sky_top, sky_low, row / top))
    for row in range(top, height):
        draw.line((0, row, width, row), fill=mix(water_far, water_near, (row - top) / (height - top)))
    scene = _Scene(image, draw, rng, left, right, horizon)
    _far_bank(scene, light)
    for _ in range(90):
        x, y = scene.on_water(0.98)
        length = 6 + 40 * (y / height)
        draw.line((x, y, x + length, y), fill=mix(water_near, water_far, rng.random()), width=1)
    _near_bank(scene, light)
    if rng.random() < 0.6:
        _tree(scene, light)
    return scene


def _far_bank(scene: _Scene, light: float) -> None:
    rng, draw = scene.rng, scene.draw
    width, height = SIZE
    base = height * scene.horizon + 6
    green = mix((30, 44, 34), (96, 128, 86), light)
    x = -20.0
    while x < width:
        step = rng.uniform(18, 90)
        if rng.random() < 0.42:
            tall = rng.uniform(18, 120)
            wall = mix((70, 70, 74), jitter(rng, (196, 190, 182), 26), light)
            draw.rectangle((x, base - tall, x + step, base), fill=wall)
            for wx in range(round(x) + 5, round(x + step) - 5, 11):
                for wy in range(round(base - tall) + 6, round(base) - 8, 13):
                    draw.rectangle((wx, wy, wx + 4, wy + 6), fill=mix(wall, (60, 70, 84), 0.6))
        else:
            tall = rng.uniform(10, 46)
            draw.ellipse((x, base - tall, x + step, base + tall * 0.4), fill=jitter(rng, green, 14))
        x += step * rng.uniform(0.6, 1.0)
    draw.rectangle((0, base - 5, width, base + 4), fill=mix((60, 62, 56), (150, 148, 134), light))


def _near_bank(scene: _Scene, light: float) -> None:
    rng, draw = scene.rng, scene.draw
    width, height = SIZE
    stone = rng.random() < 0.4
    ground = mix((52, 54, 44), (162, 158, 146) if stone else (118, 134, 82), light)
    edge = [(x, scene.shore(x)) for x in range(0, width + 1, 16)]
    draw.polygon([*edge, (width, height), (0, height)], fill=ground)
    draw.line(edge, fill=mix(ground, (40, 40, 34), 0.4), width=3)
    for _ in range(260):
        x = rng.uniform(0, width)
        y = rng.uniform(scene.shore(x) + 4, height)
        blade = rng.uniform(2, 9) * (0 if stone else 1)
        draw.line((x, y, x + rng.uniform(-3, 3), y - blade), fill=jitter(rng, ground, 24), width=1)
    if stone:
        for x in range(0, width, 44):
            draw.line((x, scene.shore(x), x - 60, height), fill=mix(ground, (70, 70, 66), 0.5), width=1)


def _tree(scene: _Scene, light: float) -> None:
    rng, draw = scene.rng, scene.draw
    width, height = SIZE
    x = rng.choice((rng.uniform(-10, 0.22 * width), rng.uniform(0.8 * width, width + 10)))
    bark = mix((30, 26, 22), (98, 80, 62), light)
    thick = rng.uniform(12, 34)
    draw.polygon([(x, 0), (x + thick, 0), (x + thick * 1.4, height), (x - thick * 0.5, height)], fill=bark)
    leaf = mix((22, 38, 26), (82, 118, 66), light)
    for _ in range(70):
        lx, ly, r = x + rng.gauss(0, 70), abs(rng.gauss(0, 60)), rng.uniform(7, 22)
        draw.ellipse((lx - r, ly - r * 0.7, lx + r, ly + r * 0.7), fill=jitter(rng, leaf, 20))


def _sewage(scene: _Scene, left: float, stage: str) -> None:
    draw, width = scene.draw, SIZE[0]
    x = scene.rng.uniform(0.3, 0.65) * width
    y = scene.shore(x)
    if left:
        for ring in range(7, 0, -1):
            reach = ring * 22 * left + 10
            shade = mix((34, 30, 26), (110, 112, 96), ring / 8)
            draw.ellipse((x - reach * 1.9, y - 20 - reach * 0.75, x + reach * 1.2, y - 2), fill=shade)
        for _ in range(round(26 * left)):
            fx, fy = x + scene.rng.gauss(-20, 60), y - 14 - abs(scene.rng.gauss(0, 26))
            draw.ellipse((fx - 5, fy - 2, fx + 5, fy + 2), fill=(226, 224, 210))
    draw.rectangle((x - 34, y - 6, x + 34, y + 44), fill=(158, 156, 150), outline=(96, 94, 90), width=2)
    draw.ellipse((x - 20, y + 2, x + 20, y + 40), fill=(44, 42, 40), outline=(90, 88, 84), width=4)
    if stage == "after":
        draw.ellipse((x - 19, y + 3, x + 19, y + 39), fill=(178, 176, 170), outline=(110, 108, 104), width=2)
        draw.line((x - 12, y + 21, x + 12, y + 21), fill=(200, 70, 50), width=4)
    elif stage == "during":
        for i in range(7):
            draw.rounded_rectangle((x - 44 + i * 13, y + 26, x - 28 + i * 13, y + 38), 5, fill=(206, 190, 150))


def _floating(scene: _Scene, left: float, stage: str) -> None:
    middle = scene.on_water(0.7)
    for _ in range(round(130 * left)):
        x, y = middle[0] + scene.rng.gauss(0, 120), middle[1] + scene.rng.gauss(0, 24)
        y = min(scene.shore(x) - 6, max(SIZE[1] * scene.horizon + 16, y))
        big = 2 + 7 * (y / SIZE[1])
        colour = jitter(scene.rng, scene.rng.choice(LITTER))
        if scene.rng.random() < 0.5:
            scene.draw.rounded_rectangle((x, y, x + big * 2.4, y + big * 0.8), big * 0.4, fill=colour)
        else:
            scene.draw.ellipse((x, y, x + big * 1.8, y + big), fill=colour)
    if stage == "during":
        _boat(scene, middle[0] + 60, middle[1] + 20)


def _bare_soil(scene: _Scene, left: float, stage: str) -> None:
    width, height = SIZE
    x0, x1 = 0.1 * width, scene.rng.uniform(0.6, 0.92) * width
    points = [(x, scene.shore(x) + 12 + scene.rng.uniform(0, 10)) for x in range(round(x0), round(x1), 24)]
    shape = [*points, (x1, height - 24), (x0 + 30, height - 18)]
    soil = (156, 112, 72)
    if left:
        scene.draw.polygon(shape, fill=soil)
        for _ in range(420):
            x = scene.rng.uniform(x0, x1)
            y = scene.rng.uniform(scene.shore(x) + 18, height - 24)
            scene.draw.ellipse((x, y, x + 5, y + 3), fill=jitter(scene.rng, soil, 30))
    if stage == "during":
        scene.draw.polygon([(x0, height), *points[: len(points) // 2], (x0 + 160, height)], fill=(64, 120, 84))
    if stage == "after":
        for _ in range(1200):
            x = scene.rng.uniform(x0, x1)
            y = scene.rng.uniform(scene.shore(x) + 14, height - 18)
            green = jitter(scene.rng, (86, 142, 72), 26)
            scene.draw.line((x, y, x + scene.rng.uniform(-3, 3), y - 9), fill=green, width=2)


def _solid_waste(scene: _Scene, left: float, stage: str) -> None:
    x0, y0 = scene.on_bank()
    for _ in range(round(64 * left)):
        x, y = x0 + scene.rng.gauss(0, 70), y0 + scene.rng.gauss(0, 18)
        y, big = max(scene.shore(x) + 10, y), scene.rng.uniform(10, 26)
        sack = jitter(scene.rng, scene.rng.choice(((58, 58, 62), (206, 204, 196), (90, 116, 168), (176, 140, 96))))
        scene.draw.rounded_rectangle((x, y - big, x + big * 1.4, y), big * 0.45, fill=sack, outline=(46, 44, 42))
    if stage == "after":
        scene.draw.ellipse((x0 - 90, y0 - 16, x0 + 110, y0 + 14), fill=(168, 156, 130))


def _bloom(scene: _Scene, left: float, stage: str) -> None:
    for _ in range(round(520 * left)):
        x, y = scene.on_water(0.96)
        big = 3 + 12 * (y / SIZE[1])
        green = jitter(scene.rng, (92, 150, 60), 30)
        scene.draw.ellipse((x, y, x + big * 1.8, y + big * 0.7), fill=green)
    if stage == "during":
        x, y = scene.on_water(0.5)
        _boat(scene, x, y + 16)


def _fishing(scene: _Scene, left: float, stage: str) -> None:
    if not left:
        return
    x, y = scene.on_water(0.6)
    _boat(scene, x, y + 10)
    scene.draw.line((x + 30, y - 16, x + 120, y + 24), fill=(60, 54, 46), width=2)
    for i in range(9):
        scene.draw.ellipse((x + 60 + i * 14, y + 22, x + 66 + i * 14, y + 27), fill=(240, 240, 236))


def _other(scene: _Scene, left: float, stage: str) -> None:
    width = SIZE[0]
    gap = range(0) if stage == "after" else range(4, 7)
    for i, x in enumerate(range(30, width, 62)):
        y = scene.shore(x) + 18
        if i in gap:
            continue
        scene.draw.rectangle((x, y - 40, x + 7, y + 8), fill=(214, 214, 208))
        scene.draw.line((x, y - 32, x + 62, scene.shore(x + 62) - 14), fill=(190, 190, 184), width=4)


_THINGS: dict[str, Callable[[_Scene, float, str], None]] = {
    "sewage": _sewage, "floating_debris": _floating, "bare_soil": _bare_soil, "solid_waste": _solid_waste,
    "aquatic_bloom": _bloom, "illegal_fishing": _fishing,
}  # fmt: skip


def _boat(scene: _Scene, x: float, y: float) -> None:
    hull = [(x - 46, y - 8), (x + 46, y - 8), (x + 34, y + 8), (x - 36, y + 8)]
    scene.draw.polygon(hull, fill=(92, 70, 52), outline=(52, 40, 32))
    scene.draw.ellipse((x - 6, y - 42, x + 6, y - 30), fill=(210, 170, 140))
    scene.draw.rectangle((x - 8, y - 31, x + 8, y - 8), fill=(230, 120, 40))


def _crew(scene: _Scene) -> None:
    """Two people in orange vests: this is being worked on."""
    for _ in range(2):
        x, y = scene.on_bank()
        scene.draw.ellipse((x - 7, y - 62, x + 7, y - 48), fill=(206, 168, 138))
        scene.draw.rectangle((x - 11, y - 48, x + 11, y - 18), fill=(238, 122, 36))
        scene.draw.rectangle((x - 9, y - 18, x + 9, y + 4), fill=(50, 56, 70))


def _shake(image: Image.Image, rng: random.Random) -> Image.Image:
    """A hand never holds a phone twice in the same place, nor a cloud still."""
    width, height = image.size
    dx, dy = rng.uniform(4, 22), rng.uniform(4, 16)
    cut = image.crop((round(dx), round(dy), round(width - 24 + dx / 2), round(height - 18 + dy / 2)))
    light = rng.uniform(0.94, 1.06)
    return cut.resize(SIZE, Image.Resampling.BILINEAR).point(lambda value: min(255, round(value * light)))
