"""What both sample painters share: colours, the font, and the words 样例 on every picture."""

from __future__ import annotations

import importlib.resources
import io
import random
from functools import cache

from PIL import Image, ImageDraw, ImageFont

QUALITY = 76
Colour = tuple[int, int, int]
LITTER: tuple[Colour, ...] = (
    (236, 240, 244),
    (120, 170, 120),
    (214, 76, 60),
    (245, 214, 120),
    (90, 140, 200),
)


@cache
def _font(px: int) -> ImageFont.FreeTypeFont:
    folder = importlib.resources.files("pylopdf_fonts_zh_cn")
    return ImageFont.truetype(str(folder / "NotoSansSC-Regular.otf"), px)


def mix(one: Colour, other: Colour, share: float) -> Colour:
    a, b = one, other
    return tuple(round(x + (y - x) * share) for x, y in zip(a, b, strict=True))  # type: ignore[return-value]


def jitter(rng: random.Random, colour: Colour, by: int = 18) -> Colour:
    light = rng.randint(-by, by)  # lighter or darker as a whole, hardly another colour
    return tuple(max(0, min(255, part + light + rng.randint(-6, 6))) for part in colour)  # type: ignore[return-value]


def marked(image: Image.Image, words: str, at: tuple[float, float] = (0.5, 0.25)) -> Image.Image:
    """Say on the picture itself what it is."""
    width, height = image.size
    veil = Image.new("RGBA", image.size)
    draw = ImageDraw.Draw(veil)
    draw.text((width * at[0], height * at[1]), "样例", font=_font(76), fill=(255, 255, 255, 110), anchor="mm")
    draw.rectangle((0, height - 26, width, height), fill=(0, 0, 0, 130))
    draw.text((10, height - 13), words, font=_font(15), fill=(255, 255, 255, 255), anchor="lm")
    return Image.alpha_composite(image.convert("RGBA"), veil).convert("RGB")


def saved(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
