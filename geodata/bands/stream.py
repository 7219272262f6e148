"""A picture window by window on two threads, each block read once, with the neighbours' edges filled in.

Reading and the loop over pixels release the interpreter's lock. Memory is a few windows and two rows of the picture,
however large it is. It knows no rule: what is done with a window is the caller's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from geodata.bands.compiled import compiled
from geodata.bands.raster import Reader, Source
from geodata.errors import GeoError

THREADS = 2
MAX_WINDOW_BYTES = 12 * 2**20
LEAST_SIDE_PX = 4

Result = TypeVar("Result")


class Cancelled(Exception):
    """Somebody no longer wants the answer."""


@dataclass(frozen=True)
class Window:
    """A read block: rows y0 to y1, columns x0 to x1 of the picture."""

    row: int
    column: int
    y0: int
    y1: int
    x0: int
    x1: int

    def inner(self, height_px: int, width_px: int, reach: int = 1) -> tuple[int, int, int, int]:
        """Rows from, to, columns from, to whose neighbours within `reach` are at hand: so much behind the block."""
        return (
            max(self.y0 - reach, 0),
            self.y1 if self.y1 == height_px else self.y1 - reach,
            max(self.x0 - reach, 0),
            self.x1 if self.x1 == width_px else self.x1 - reach,
        )


_Job = tuple[Window, "Future[Any]"]


@dataclass
class _Edge:
    """What a window leaves for its neighbours: its last rows and columns, and the same of its gaps."""

    ready: threading.Event = field(default_factory=threading.Event)
    failed: bool = False
    rows: Any = None
    columns: Any = None
    bad_rows: Any = None
    bad_columns: Any = None


@dataclass
class Filled:
    """A window's numbers (n, ...) with margins, and `bad` (...), 1 where there is none.

    `margin`: rows above and columns left of the block, twice the reach; below and right lies the reach once.
    """

    window: Window
    numbers: NDArray[Any]
    bad: NDArray[np.uint8]
    with_bad: bool
    margin: int


def windows_of(source: Source, bands: int, side_px: tuple[int, int] | None = None) -> list[list[Window]]:
    """Rows of windows that follow the picture's blocks and hold at most MAX_WINDOW_BYTES where the blocks allow.

    `side_px`: (height, width) asked for instead. Numbers below LEAST_SIDE_PX are raised to it.
    """
    height, width = source.height_px, source.width_px
    tall, wide = side_px or source.block_px
    tall, wide = max(LEAST_SIDE_PX, min(tall, height)), max(LEAST_SIDE_PX, min(wide, width))
    if side_px is None:
        each = bands * np.dtype(source.dtype).itemsize
        tall *= max(1, min(256, height) // tall)
        wide *= max(1, min(MAX_WINDOW_BYTES // (each * tall * wide), -(-width // wide)))
    rows = []
    for row, y0 in enumerate(range(0, height, tall)):
        y1 = min(y0 + tall, height)
        rows.append(
            [Window(row, column, y0, y1, x0, min(x0 + wide, width)) for column, x0 in enumerate(range(0, width, wide))]
        )
    return rows


class Stream(Generic[Result]):
    """Runs `work` on every window; rows of windows come out in order.

    `skip(window)`: whether a window and all its neighbours' need of it may be left out. `work(filled, thread_store)`
    is called on any thread; `thread_store` is a dict that stays with the thread. `reach`: how far neighbours matter.
    """

    def __init__(
        self,
        source: Source,
        bands: tuple[int, ...],
        work: Callable[[Filled, dict[str, Any]], Result],
        skip: Callable[[Window], bool] = lambda window: False,
        cancel: Callable[[], bool] | None = None,
        side_px: tuple[int, int] | None = None,
        threads: int = THREADS,
        reach: int = 1,
    ) -> None:
        if not 1 <= 2 * reach <= LEAST_SIDE_PX:
            raise ValueError("a window must be at least twice as large as the reach")
        self._reach = reach
        self._source, self._bands, self._work, self._skip, self._cancel = source, bands, work, skip, cancel
        self.rows = windows_of(source, len(bands), side_px)
        self._threads = threads
        self._edges: dict[tuple[int, int], _Edge] = {}
        self._lock = threading.Lock()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._gaps = source.dtype == "float32" or source.masked or any(source.nodata[b] is not None for b in bands)

    def results(self) -> Generator[tuple[list[Window], list[Result]], None, None]:
        """Rows of windows in order, with what `work` gave for those not left out."""
        workers = [threading.Thread(target=self._serve, name=f"window-{n}", daemon=True) for n in range(self._threads)]
        for worker in workers:
            worker.start()
        pending: list[tuple[list[Window], list[Future[Any]]]] = []
        try:
            upcoming = iter(self.rows)
            for _ in range(2):  # two rows of windows under way keep both threads busy
                self._submit(upcoming, pending)
            while pending:
                row, futures = pending.pop(0)
                results = [future.result() for future in futures]
                self._forget(row[0].row - 1)
                self._submit(upcoming, pending)
                yield row, [result for result in results if result is not None]
        finally:
            for _, futures in pending:
                for future in futures:
                    future.cancel()
            for _ in workers:
                self._jobs.put(None)
            for edge in list(self._edges.values()):  # nobody may go on waiting for what will not come
                edge.failed = edge.failed or not edge.ready.is_set()
                edge.ready.set()
            for worker in workers:
                worker.join()

    def _serve(self) -> None:
        """One thread: its own open hand on the source, windows until told to stop."""
        store: dict[str, Any] = {}
        try:
            with self._source.opened() as reader:
                store["reader"] = reader
                while (job := self._jobs.get()) is not None:
                    self._run(job, store)
        except GeoError as error:  # the source could not be opened: say so to whoever waits
            while (job := self._jobs.get()) is not None:
                self._edges[job[0].row, job[0].column].failed = True
                self._edges[job[0].row, job[0].column].ready.set()
                if job[1].set_running_or_notify_cancel():
                    job[1].set_exception(error)

    def _run(self, job: _Job, store: dict[str, Any]) -> None:
        window, future = job
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(self._one(window, store))
        except BaseException as error:
            future.set_exception(error)

    def _submit(self, upcoming: Iterator[list[Window]], pending: list[Any]) -> None:
        row = next(upcoming, None)
        if row is None:
            return
        futures: list[Future[Any]] = []
        with self._lock:
            for window in row:
                self._edges[window.row, window.column] = _Edge()
        for window in row:
            futures.append(Future())
            self._jobs.put((window, futures[-1]))
        pending.append((row, futures))

    def _forget(self, row: int) -> None:
        with self._lock:
            for key in [key for key in self._edges if key[0] < row]:
                del self._edges[key]

    def _one(self, window: Window, store: dict[str, Any]) -> Result | None:
        edge = self._edges[window.row, window.column]
        try:
            if self._cancel is not None and self._cancel():
                raise Cancelled
            if self._skip(window):
                edge.ready.set()
                return None
            filled = self._read(window, edge, store)
            edge.ready.set()
            self._fill(filled)
            return self._work(filled, store)
        except BaseException:
            edge.failed = True
            raise
        finally:
            edge.ready.set()

    def _read(self, window: Window, edge: _Edge, store: dict[str, Any]) -> Filled:
        height, width = window.y1 - window.y0, window.x1 - window.x0
        reader: Reader = store["reader"]
        margin = 2 * self._reach
        shape = (len(self._bands), height + margin + self._reach, width + margin + self._reach)
        if "numbers" not in store or store["numbers"].shape != shape:
            store["numbers"] = np.zeros(shape, self._source.dtype)
            store["bad"] = np.zeros(shape[1:] if self._gaps else (1, 1), np.uint8)
        numbers, bad = store["numbers"], store["bad"]
        inside = numbers[:, margin : margin + height, margin : margin + width]
        reader.read(self._bands, window.y0, window.x0, inside)
        if self._gaps:
            gaps = bad[margin : margin + height, margin : margin + width]
            self._mark(window, reader, inside, gaps)
            edge.bad_rows, edge.bad_columns = gaps[-margin:].copy(), gaps[:, -margin:].copy()
        edge.rows, edge.columns = inside[:, -margin:].copy(), inside[:, :, -margin:].copy()
        return Filled(window, numbers, bad, self._gaps, margin)

    def _mark(self, window: Window, reader: Reader, inside: Any, gaps: Any) -> None:
        gaps[:] = 0
        if self._source.masked:
            mask = np.empty(gaps.shape, np.uint8)
            reader.mask(window.y0, window.x0, mask)
            gaps[:] = mask == 0
        for place, band in enumerate(self._bands):
            nothing = self._source.nodata[band]
            mark_gaps(inside[place], np.float64(np.nan if nothing is None else nothing), gaps)

    def _fill(self, filled: Filled) -> None:
        """Margins from the neighbours' edges; at the picture's border its outermost pixels once more."""
        window, numbers, margin = filled.window, filled.numbers, filled.margin
        height, width = window.y1 - window.y0, window.x1 - window.x0
        above = self._edge(window.row - 1, window.column)
        left = self._edge(window.row, window.column - 1)
        corner = self._edge(window.row - 1, window.column - 1)
        planes = [(numbers, "rows", "columns")] + (
            [(filled.bad[None], "bad_rows", "bad_columns")] if self._gaps else []
        )
        for plane, rows, columns in planes:
            for edge, name, target in (
                (above, rows, plane[:, :margin, margin : margin + width]),
                (left, columns, plane[:, margin : margin + height, :margin]),
            ):
                target[:] = 0 if edge is None or getattr(edge, name) is None else getattr(edge, name)
            held = None if corner is None else getattr(corner, rows)
            plane[:, :margin, :margin] = 0 if held is None else held[..., -margin:]
            if window.x0 == 0:
                plane[:, :, :margin] = plane[:, :, margin, None]
            if window.x1 == self._source.width_px:
                plane[:, :, margin + width :] = plane[:, :, margin + width - 1, None]
            if window.y0 == 0:
                plane[:, :margin] = plane[:, margin, None]
            if window.y1 == self._source.height_px:
                plane[:, margin + height :] = plane[:, margin + height - 1, None]

    def _edge(self, row: int, column: int) -> _Edge | None:
        if row < 0 or column < 0:
            return None
        edge = self._edges[row, column]
        # A window only waits for windows that were handed out before it, so somebody is always at work.
        edge.ready.wait()
        if edge.failed:
            raise GeoError("unreadable", "影像有一块读不出来，没有继续。", "file")
        return edge


@compiled
def mark_gaps(numbers: Any, nothing: float, gaps: Any) -> None:
    """Marks pixels that are `nothing` or not finite, and puts 0 in their place so that sums stay numbers."""
    for y in range(numbers.shape[0]):
        row, marks = numbers[y], gaps[y]
        for x in range(row.size):
            value = np.float64(row[x])
            if not (abs(value) < np.inf) or value == nothing:
                marks[x] = np.uint8(1)
                row[x] = 0
