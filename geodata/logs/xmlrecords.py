"""XML logs as flat records with line numbers, streamed through defusedxml: no DTD, no entities, nothing fetched.

What stands before a break in the file is kept. It knows neither GPX nor KML.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler

from defusedxml import DefusedXmlException
from defusedxml.sax import make_parser

from geodata.errors import GeoError
from geodata.logs.rows import MAX_ROWS

MAX_DEPTH = 64
MAX_TEXT = 32 * 1024 * 1024
_CHUNK = 256 * 1024


@dataclass
class Record:
    """One element of interest: its own name, attributes and first line, and the texts of what stands in it.

    `fields` holds (text, line) by local name, in file order; what stands in an inner record is not repeated.
    """

    name: str
    line: int
    attributes: Mapping[str, str]
    parent: Record | None
    fields: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    whole: bool = False

    def text(self, *names: str) -> str:
        """The first text under any of the names, "" when there is none."""
        for name in names:
            for text, _ in self.fields.get(name, ()):
                return text
        return ""


@dataclass(frozen=True)
class Read:
    """Everything read: the root's local name, the records, and the line where the file broke off (0: whole)."""

    root: str
    records: list[Record]
    broken_at: int = 0


class _Collector(ContentHandler):
    def __init__(self, wanted: Collection[str], locator: Any) -> None:
        super().__init__()
        self.root = ""
        self.records: list[Record] = []
        self._wanted = wanted
        self._open: list[Record] = []
        self._path: list[tuple[str, int]] = []
        self._text: list[str] = []
        self._length = 0
        self._locator = locator  # fed in pieces, the parser does not hand itself over

    @property
    def line(self) -> int:
        return int(self._locator.getLineNumber() or 0)

    def startElement(self, name: str, attrs: Any) -> None:
        local = name.rpartition(":")[2]
        self.root = self.root or local
        self._path.append((local, self.line))
        if len(self._path) > MAX_DEPTH:
            raise GeoError("bad-xml", f"XML 嵌套超过 {MAX_DEPTH} 层，不是正常的日志，请重新导出。", "xml")
        if local in self._wanted:
            parent = self._open[-1] if self._open else None
            record = Record(local, self.line, {key.rpartition(":")[2]: attrs[key] for key in attrs.getNames()}, parent)
            self._open.append(record)
            self.records.append(record)
            if len(self.records) > MAX_ROWS:
                raise GeoError("too-much", f"日志超过 {MAX_ROWS} 个点，请按架次分开导出。", "xml")
        self._text, self._length = [], 0

    def characters(self, content: str) -> None:
        self._length += len(content)
        if self._length > MAX_TEXT:
            raise GeoError("too-much", "日志里有一段文字过长，请按架次分开导出。", "xml")
        self._text.append(content)

    def endElement(self, name: str) -> None:
        local, line = self._path.pop()
        text = "".join(self._text).strip()
        self._text, self._length = [], 0
        if self._open and self._open[-1].name == local and local in self._wanted:
            self._open.pop().whole = True
        elif self._open and text:
            self._open[-1].fields.setdefault(local, []).append((text, line))


def read_records(data: bytes, wanted: Collection[str]) -> Read:
    """The wanted elements of an XML file, in the order in which they begin.

    Raises GeoError `bad-xml` for entities, a DTD, or a file that is no XML from its first element on.

    >>> read = read_records(b'<gpx><trkpt lon="112.18" lat="30.35"><ele>40</ele></trkpt><trkpt', {"trkpt"})
    >>> read.root, read.records[0].text("ele"), read.broken_at
    ('gpx', '40', 1)
    """
    parser = make_parser()
    collector = _Collector(wanted, parser)
    parser.forbid_dtd = True
    parser.forbid_entities = True
    parser.forbid_external = True
    parser.setContentHandler(collector)
    broken_at = 0
    try:
        for start in range(0, len(data), _CHUNK):
            parser.feed(data[start : start + _CHUNK])
        parser.close()
    except DefusedXmlException as error:
        raise GeoError("bad-xml", "日志带有不收的实体或 DTD 声明，请重新导出。", "xml") from error
    except SAXParseException as error:
        broken_at = max(int(error.getLineNumber() or 1), 1)
    except (SAXException, LookupError, ValueError) as error:
        raise GeoError("bad-xml", "日志的 XML 写法有误，请重新导出。", "xml") from error
    if not collector.root:
        raise GeoError("bad-xml", "日志的 XML 写法有误，一个元素也读不出来，请重新导出。", "xml")
    return Read(collector.root, collector.records, broken_at)
