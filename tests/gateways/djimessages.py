"""Messages as DJI's public Cloud API pages describe them, written for these tests: each a dict to change and send."""

from __future__ import annotations

import copy
import json
from typing import Any

DOCK, DRONE, FLIGHT = "7CTDM1A00B1C2D", "1581F5BKD23C100A1B2C", "8f0c1d2e-3b4a-4c5d-9e6f-7a8b9c0d1e2f"
AT_MS = 1795395600000  # 2026-11-23 01:00 UTC


def topo(*drones: str, tid: str = "topo-1", dock: str = DOCK) -> dict[str, Any]:
    return {
        "tid": tid, "bid": "b-" + tid, "timestamp": AT_MS, "method": "update_topo",
        "data": {
            "domain": "3", "type": 2, "sub_type": 0, "device_secret": "s", "nonce": "n", "thing_version": "1.2.0",
            "sub_devices": [
                {"sn": sn, "domain": "0", "type": 91, "sub_type": 0, "index": "A", "device_secret": "s", "nonce": "n",
                 "thing_version": "1.2.0"}
                for sn in drones
            ],
        },
    }  # fmt: skip


def osd(lon: float | str, lat: float | str, *, at_ms: int | str = AT_MS, dock: str = DOCK) -> dict[str, Any]:
    return {
        "tid": "osd", "bid": "osd", "timestamp": at_ms, "gateway": dock,
        "data": {
            "latitude": lat, "longitude": lon, "height": "85.4", "elevation": 60, "attitude_head": -12.5,
            "horizontal_speed": 5.0, "position_state": {"is_fixed": 2, "gps_number": 21},
        },
    }  # fmt: skip


def uploaded(
    key: str, *, flight: str = FLIGHT, expected: int | None = None, tid: str = "", flat: bool = False
) -> dict[str, Any]:
    """`flat`: the other way the pages write it, with numbers as text and the position beside them."""
    meta: dict[str, Any] = {"gimbal_yaw_degree": "-91.40", "absolute_altitude": 56.311, "relative_altitude": "41.124"}
    if flat:
        meta |= {"latitude": "30.3512", "longitude": "112.1834", "created_time": "2026-11-23 08:58:20"}
    else:
        meta |= {"shoot_position": {"lat": 30.3512, "lng": 112.1834}, "create_time": "2026-11-23T08:58:20+08:00"}
    message: dict[str, Any] = {
        "tid": tid or "up-" + key, "bid": "b-" + key, "timestamp": AT_MS, "gateway": DOCK, "need_reply": 1,
        "method": "file_upload_callback",
        "data": {
            "result": 0,
            "file": {
                "object_key": key, "path": "", "name": key.rpartition("/")[2],
                "ext": {"flight_id": flight, "drone_model_key": "0-91-0", "payload_model_key": "1-81-0", "is_original": True},
                "metadata": meta,
            },
        },
    }  # fmt: skip
    if expected is not None:
        message["data"]["flight_task"] = {"uploaded_file_count": 1, "expected_file_count": expected, "flight_type": 0}
    return message


def progress(status: str, *, flight: str = FLIGHT, media: int | None = None, tid: str = "") -> dict[str, Any]:
    ext: dict[str, Any] = {"current_waypoint_index": 3, "wayline_mission_state": 6, "flight_id": flight}
    if media is not None:
        ext["media_count"] = media
    return {
        "tid": tid or "task-" + status, "bid": flight, "timestamp": AT_MS, "gateway": DOCK, "need_reply": 1,
        "method": "flighttask_progress",
        "data": {"result": 0, "output": {"status": status, "ext": ext, "progress": {"current_step": 25, "percent": "60"}}},
    }  # fmt: skip


def hms(tid: str = "hms-1") -> dict[str, Any]:
    listed = [{"code": "0x16100083", "level": 2, "module": 3, "args": {"component_index": 0}}]
    return {
        "tid": tid, "bid": tid, "timestamp": AT_MS, "gateway": DOCK, "need_reply": 0, "method": "hms", "data": {"list": listed},
    }  # fmt: skip


def changed(message: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy in which `data.file.name` (say) is another."""
    made = copy.deepcopy(message)
    inner: Any = made
    *way, last = path.split(".")
    for step in way:
        inner = inner[step]
    inner[last] = value
    return made


def packed(message: Any) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode()
