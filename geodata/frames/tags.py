"""Opens one photograph just far enough to read its tags; it never decodes pixels and never trusts a value.

Everything that Pillow or the XML parser can throw at a hostile file ends here, as one `GeoError`.
"""

from __future__ import annotations

import math
import struct
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from xml.etree.ElementTree import ParseError

from defusedxml import ElementTree
from PIL import ExifTags, Image
from pillow_heif import HeifImageFile

from geodata.errors import GeoError

MAX_BYTES = 200_000_000
MAX_PIXELS = 178_000_000
MAX_XMP_BYTES = 1_000_000

# DJI's own JPEG carries a preview behind the photograph; Pillow opens it by its JPEG reader and calls it MPO.
# Naming "MPO" here would be an error: it has no reader of its own, and nothing named after it would be tried.
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")

# What the decoders were seen to raise, or may by their source, on cut, twisted or lying files.
DECODER_FAULTS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    EOFError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)

# Without the closing slash, which some writers of `Camera:` leave out.
NAMESPACES = {
    "http://www.dji.com/drone-dji/1.0": "dji",
    "http://ns.adobe.com/xap/1.0": "xmp",
    "http://ns.adobe.com/tiff/1.0": "tiff",
    "http://ns.adobe.com/exif/1.0": "exif",
    "http://pix4d.com/camera/1.0": "Camera",
    "http://micasense.com/MicaSense/1.0": "MicaSense",
    "http://micasense.com/DLS/1.0": "DLS",
}
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
MAKER_NOTE = 0x927C


@dataclass(frozen=True)
class Tags:
    """Raw tags of one photograph: `exif` and `gps` by tag number, `xmp` as `prefix:Name` -> text.

    `width_px`, `height_px` are the decoder's, not what EXIF claims.
    """

    width_px: int
    height_px: int
    format: str
    jfif: bool
    exif: Mapping[int, object] = field(default_factory=dict)
    gps: Mapping[int, object] = field(default_factory=dict)
    xmp: Mapping[str, str] = field(default_factory=dict)
    xmp_broken: bool = False

    @property
    def maker_note(self) -> bytes:
        """The vendor's own block of the EXIF directory, raw; empty when there is none."""
        held = self.exif.get(MAKER_NOTE)
        return held if isinstance(held, bytes) else b""

    def words(self, tag: int) -> str:
        """Text of an EXIF tag, without the NULs that DJI pads with; empty when absent or not text.

        >>> Tags(1, 1, "JPEG", False, exif={0x010F: "DJI" + chr(0) * 5}).words(0x010F)
        'DJI'
        """
        return words(self.exif.get(tag))

    def number(self, tag: int) -> float | None:
        """Finite number of an EXIF tag, or None."""
        return number(self.exif.get(tag))

    def dji(self, name: str) -> float | None:
        """Finite number of a DJI XMP tag, or None."""
        return number(self.xmp.get(f"dji:{name}"))

    def camera(self, name: str) -> float | None:
        """Finite number of a `Camera:` XMP tag (Pix4D's namespace), also as a fraction, or None.

        >>> Tags(1, 1, "TIFF", False, xmp={"Camera:GPSXYAccuracy": "2301/1000"}).camera("GPSXYAccuracy")
        2.301
        """
        above, _, below = self.xmp.get(f"Camera:{name}", "").partition("/")
        top, bottom = number(above), number(below) if below else 1.0
        return top / bottom if top is not None and bottom else None

    def series(self, key: str) -> tuple[float, ...]:
        """The numbers of an XMP list, or of text with commas; empty when one of them is no number.

        >>> Tags(1, 1, "TIFF", False, xmp={"Camera:PrincipalPoint": "2.5, 1.75"}).series("Camera:PrincipalPoint")
        (2.5, 1.75)
        """
        parts = [number(part) for part in self.xmp.get(key, "").replace(",", " ").split()]
        found = tuple(part for part in parts if part is not None)
        return found if len(found) == len(parts) else ()


def words(value: object) -> str:
    """Text of a tag value, or an empty string.

    >>> words(b"WGS-84" + bytes(3)), words(None)
    ('WGS-84', '')
    """
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return value.split("\x00", 1)[0].strip() if isinstance(value, str) else ""


def number(value: object) -> float | None:
    """Finite float of a tag value (rational, text with sign, one-element tuple), otherwise None.

    >>> number("+39.80"), number("nan"), number((3,)), number(None)
    (39.8, None, 3.0, None)
    """
    if isinstance(value, tuple) and len(value) == 1:
        value = value[0]
    if value is None or isinstance(value, bool | bytes | tuple):
        return None
    try:
        found = float(value)  # type: ignore[arg-type]  # Pillow's rationals and text both convert
    except (TypeError, ValueError, ArithmeticError):
        return None
    return found if math.isfinite(found) else None


def positive(value: float | None) -> float | None:
    """The value when it is above zero, otherwise None."""
    return value if value is not None and value > 0 else None


def within(value: float | None, least: float, most: float) -> float | None:
    """The value when it lies between the limits, otherwise None."""
    return value if value is not None and least <= value <= most else None


def whole(value: float | None, least: int = 1) -> int | None:
    """The value as a plausible whole number, otherwise None."""
    return int(value) if value is not None and least <= value <= 1_000_000 else None


def open_tags(photo: str | Path | bytes) -> Tags:
    """Read the tags of a photograph given as a path or as bytes.

    Raises `GeoError` with code `no_file`, `too_large`, `too_many_pixels`, `not_a_photo` or `broken_photo`.
    """
    data = photo if isinstance(photo, bytes) else _bytes_of(Path(photo))
    if len(data) > MAX_BYTES:
        raise GeoError("too_large", f"文件超过 {MAX_BYTES // 1_000_000} MB，请上传单张照片。")
    with warnings.catch_warnings():
        # Pillow warns about broken EXIF; a broken tag is simply absent here and said by our own remarks.
        warnings.simplefilter("ignore")
        return _read(data)


def _bytes_of(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise GeoError("too_large", f"文件超过 {MAX_BYTES // 1_000_000} MB，请上传单张照片。")
        return path.read_bytes()
    except (OSError, ValueError) as fault:
        raise GeoError("no_file", f"读不到照片文件“{path.name}”，请检查路径和权限。") from fault


def _read(data: bytes) -> Tags:
    try:
        image = _opened(data)
    except Image.DecompressionBombError as fault:
        raise GeoError("too_many_pixels", "图片像素过多，拒绝打开；请上传原始照片。") from fault
    except DECODER_FAULTS as fault:
        raise GeoError("not_a_photo", "不是能识别的照片；请上传 JPEG、PNG、WebP、TIFF 或 HEIC 原图。") from fault
    try:
        width, height = int(image.size[0]), int(image.size[1])
        if width < 1 or height < 1:
            raise GeoError("broken_photo", "照片没有像素，请重新导出后上传。")
        if width * height > MAX_PIXELS:
            raise GeoError("too_many_pixels", "图片像素过多，拒绝打开；请上传原始照片。")
        exif, gps = _exif(image)
        xmp, broken = parse_xmp(_packet(image, data))
        return Tags(width, height, str(image.format), "jfif" in image.info, exif, gps, xmp, broken)
    except DECODER_FAULTS as fault:
        raise GeoError("broken_photo", "照片文件已损坏，读不出内容；请重新导出后上传。") from fault
    finally:
        image.close()


def _opened(data: bytes) -> Image.Image:
    if data[4:8] == b"ftyp":
        heif: Image.Image = HeifImageFile(BytesIO(data))  # type: ignore[no-untyped-call]  # pillow_heif has no types
        return heif
    return Image.open(BytesIO(data), formats=FORMATS)


def _exif(image: Image.Image) -> tuple[dict[int, object], dict[int, object]]:
    """Both EXIF directories flattened, and the GPS one; a directory that cannot be read is empty."""
    flat: dict[int, object] = {}
    gps: dict[int, object] = {}
    try:
        found = image.getexif()
        flat.update(found)
        flat.update(found.get_ifd(ExifTags.IFD.Exif))
    except DECODER_FAULTS:
        found = None
    if found is not None:
        try:
            gps.update(found.get_ifd(ExifTags.IFD.GPSInfo))
        except DECODER_FAULTS:
            gps.clear()
    return flat, gps


def _packet(image: Image.Image, data: bytes) -> bytes:
    """The XMP packet, from its tag, or found by its marks when it stands where Pillow does not look."""
    for key in ("xmp", "XML:com.adobe.xmp"):
        held = image.info.get(key)
        if isinstance(held, str):
            held = held.encode("utf-8", "replace")
        if isinstance(held, bytes) and b"<" in held:
            return held
    head = data[:MAX_XMP_BYTES]
    start, end = head.find(b"<x:xmpmeta"), head.find(b"</x:xmpmeta>")
    return head[start : end + len(b"</x:xmpmeta>")] if 0 <= start < end else b""


def parse_xmp(packet: bytes) -> tuple[dict[str, str], bool]:
    """XMP values by `prefix:Name`, and whether there was a packet that could not be parsed.

    DJI writes attributes; a file saved again by ExifTool carries elements. Both are read; the first
    one of a name counts; a sequence becomes text with commas. Entities and document types are refused by defusedxml.

    >>> space = 'xmlns:d="http://www.dji.com/drone-dji/1.0/"'
    >>> parse_xmp(f'<x {space} d:GimbalYawDegree="+45.00"/>'.encode())
    ({'dji:GimbalYawDegree': '+45.00'}, False)
    >>> parse_xmp(f'<x {space}><d:GimbalYawDegree>+45.00</d:GimbalYawDegree></x>'.encode())
    ({'dji:GimbalYawDegree': '+45.00'}, False)
    """
    text = packet.strip(b"\x00 \t\r\n")
    for opening, closing in ((b"<x:xmpmeta", b"</x:xmpmeta>"), (b"<rdf:RDF", b"</rdf:RDF>")):
        start, end = text.find(opening), text.find(closing)
        if 0 <= start < end:
            text = text[start : end + len(closing)]
            break
    if not text:
        return {}, False
    if len(text) > MAX_XMP_BYTES:
        return {}, True
    try:
        root = ElementTree.fromstring(text, forbid_dtd=True)
    except (ParseError, ValueError, LookupError):
        return {}, True
    values: dict[str, str] = {}
    for element in root.iter():
        items = [item.text or "" for kind in ("Seq", "Bag", "Alt") for item in element.findall(f"{RDF}{kind}/{RDF}li")]
        text_of = ",".join(item.strip() for item in items) if items else element.text or ""
        pairs = [*element.attrib.items(), (element.tag, text_of)]
        for name, value in pairs:
            key = _key(str(name))
            if key and value.strip():
                values.setdefault(key, value.strip())
    return values, False


def _key(name: str) -> str:
    space, _, local = name[1:].partition("}") if name.startswith("{") else ("", "", name)
    prefix = NAMESPACES.get(space.rstrip("/"), "")
    return f"{prefix}:{local}" if prefix else ""
