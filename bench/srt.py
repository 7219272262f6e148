"""Reading 36,000 subtitle cues (20 minutes at 30 a second), beside two plain readers of the same bytes.

Run: `python bench/srt.py`. Prints one JSON line a case. `lines` splits the file and asks each line for a position;
`findall` asks one expression of the whole text. Both keep two or four numbers a cue; ours also keeps cue times,
clock, gimbal, line numbers, and has checked order, gaps and jumps. Processor seconds of one thread are compared,
which a busy machine stretches less than the wall clock. The goal is 0.3 s.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from geodata.logs import read_log_bytes
from geodata.logs.srt import read_srt

CUES, RUNS = 36_000, 7
_LINE = re.compile(r"\[latitude: ([-\d.]+)\] \[longitude: ([-\d.]+)\]")
_ALL = re.compile(
    r"\d+\n(\S+) --> \S+\n[^\n]*\n([^\n]+)\n[^\n]*?\[latitude: ([-\d.]+)\] \[longitude: ([-\d.]+)\] "
    r"\[rel_alt: ([-\d.]+) abs_alt: ([-\d.]+)\][^\n]*?gb_yaw: ([-\d.]+) gb_pitch: ([-\d.]+) gb_roll: ([-\d.]+)"
)


def clock(ms: int) -> str:
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}"


def subtitles() -> bytes:
    """A flight due north-east at 5 m/s, positions new at every third cue."""
    parts = []
    for at in range(CUES):
        ms, place = round(at * 1000 / 30), at // 3 * 3
        parts.append(
            f"{at + 1}\n{clock(ms)},{ms % 1000:03d} --> {clock(ms + 33)},{(ms + 33) % 1000:03d}\n"
            f'<font size="28">FrameCnt: {at + 1}, DiffTime: 33ms\n2026-05-01 {clock(ms + 32_400_000)}.{ms % 1000:03d}\n'
            "[iso: 100] [shutter: 1/1000.0] [fnum: 2.8] [ev: 0] [color_md: default] [focal_len: 24.00] "
            f"[latitude: {30.35 + place * 1.1e-6:.6f}] [longitude: {112.18 + place * 1.2e-6:.6f}] "
            f"[rel_alt: {60 + at % 7 / 10:.3f} abs_alt: 92.100] [ct: 5263] "
            f"[gb_yaw: {45 + at % 5 / 10:.1f} gb_pitch: -90.0 gb_roll: 0.0] </font>\n\n"
        )
    return "".join(parts).encode()


def by_lines(data: bytes) -> list[tuple[float, float]]:
    found = []
    for line in data.decode().splitlines():
        hit = _LINE.search(line)
        if hit:
            found.append((float(hit[1]), float(hit[2])))
    return found


def by_findall(data: bytes) -> list[tuple[float, ...]]:
    return [tuple(map(float, hit[2:])) for hit in _ALL.findall(data.decode())]


def once_s(work: Callable[[], Any]) -> tuple[float, float]:
    """Wall and processor seconds of a run."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    data = subtitles()
    track = read_log_bytes(data, "Asia/Shanghai")
    assert len(track) == len(by_lines(data)) == len(by_findall(data)) == CUES
    jobs: dict[str, Callable[[], Any]] = {
        "track": lambda: read_log_bytes(data, "Asia/Shanghai"),
        "rows": lambda: read_srt(data),
        "lines": lambda: by_lines(data),
        "findall": lambda: by_findall(data),
    }
    best = dict.fromkeys(jobs, (9e9, 9e9))
    for _ in range(RUNS):
        for name, job in jobs.items():
            wall, cpu = once_s(job)
            best[name] = (min(best[name][0], wall), min(best[name][1], cpu))
    for ours in ("rows", "track"):
        for peer in ("lines", "findall"):
            print(
                json.dumps(
                    {
                        "bench": "srt",
                        "case": f"{CUES} cues, {len(data) / 1e6:.1f} MB: {ours} against {peer}",
                        "ours": round(best[ours][1], 4),
                        "peer": round(best[peer][1], 4),
                        "ratio": round(best[ours][1] / best[peer][1], 3),
                        "unit": "s",
                        "n": RUNS,
                        "note": f"processor seconds; by the wall {best[ours][0]:.3f} against {best[peer][0]:.3f}; goal 0.3",
                    },
                    ensure_ascii=False,
                )
            )


if __name__ == "__main__":
    main()
