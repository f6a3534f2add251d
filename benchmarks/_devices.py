"""Tables of other devices: the architectures of a published table with another device's latency in place of its own.

``nasbench201:pixel3`` is NAS-Bench-201 with latency from ``nb201_devices.csv``, ``hw_gpt_s:h100`` is HW-GPT-Bench S
with latency from ``gpt_s_devices.csv``; both files lie where ``RAPID_MOO_DATA`` points. A default is chosen on one half
of the devices (:data:`CHOOSING`) and reported on the other (:data:`REPORTING`).
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from rapid_moo import ArchitectureTable, open_table

_GPUS = ("1080ti", "2080ti", "titanx", "titanxp")
DEVICES = [f"{gpu}_{batch}" for gpu in _GPUS for batch in (1, 32, 256)]
DEVICES += ["gold_6240", "silver_4114", "silver_4210r", "samsung_a50", "samsung_s7", "essential_ph_1", "pixel3"]
CHOOSING, REPORTING = DEVICES[::2], DEVICES[1::2]
GPT = [f"hw_gpt_s:{device}" for device in ("rtx3080", "h100", "P100")]
GPT += [f"hw_gpt_m:{device}" for device in ("rtx3080", "P100")] + [f"hw_gpt_l:{device}" for device in ("a100", "h100")]
_GPT = {"hw_gpt_s": "hw_gpt_s_a100", "hw_gpt_m": "hw_gpt_m_h100", "hw_gpt_l": "hw_gpt_l_rtx3080"}


def device_table(name: str) -> ArchitectureTable:
    """A published table, or one with another device's latency after a colon."""
    base, _, device = name.partition(":")
    if not device:
        return replace(open_table(name), name=name)
    table = open_table(_GPT.get(base, base))
    file = "nb201_devices.csv" if base == "nasbench201" else f"{base.removeprefix('hw_')}_devices.csv"
    frame = pd.read_csv(Path(os.environ["RAPID_MOO_DATA"]) / file)
    vectors = np.array([[int(code) for code in row.strip("[]").split(",")] for row in frame["vector"]])
    place = {key: row for row, key in enumerate(table.space.keys(table.space.encode(vectors)))}
    rows = [place[key] for key in table.space.keys(table.X)]
    raw = table.raw.copy()
    raw[:, [o.name for o in table.objectives].index("latency")] = frame[f"latency_{device}"].to_numpy()[rows]
    return ArchitectureTable.build(table.space, table.objectives, table.X, raw, name=name)
