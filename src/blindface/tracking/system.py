"""The machine while a model trains: one line of `system.jsonl` every few seconds, under MLflow's own names.

| name | unit | meaning |
|---|---|---|
| time | | UTC, ISO format |
| cpu_utilization_percentage | % | of all cores of the machine |
| system_memory_usage_megabytes, system_memory_usage_percentage | MB, % | used by anyone |
| process_memory_megabytes | MB | resident memory of the training process |
| gpu_<n>_utilization_percentage | % | as nvidia-smi gives it, for the GPUs that PyTorch sees |
| gpu_<n>_memory_usage_megabytes, gpu_<n>_memory_usage_percentage | MB, % | used by anyone |
| gpu_<n>_power_usage_watts | W | |
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from blindface.tracking.record import SYSTEM

INTERVAL = 10.0
"""Seconds between lines; MLflow's own interval."""
QUERY = "uuid,utilization.gpu,memory.used,memory.total,power.draw"


class SystemSampler:
    """Appends to `system.jsonl` of a folder from a thread of its own until `stop`. It fails silently: it only shows."""

    def __init__(self, folder: Path, interval: float = INTERVAL) -> None:
        self.path, self.interval = folder / SYSTEM, interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="system metrics", daemon=True)

    def start(self) -> None:
        """Begin to sample."""
        self._thread.start()

    def stop(self) -> None:
        """Take a last sample and end; a sampler that hangs is left behind."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)

    def _run(self) -> None:
        try:
            sample_cpu()  # its first call tells nothing
            while True:
                stopped = self._stop.wait(self.interval)
                values = sample_cpu() | sample_gpus()
                line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **values}
                with open(self.path, "a") as file:
                    file.write(json.dumps(line) + "\n")
                if stopped:
                    return
        except OSError:
            return


def sample_cpu() -> dict[str, float]:
    """Load and memory of the machine and this process; empty without psutil."""
    try:
        import psutil
    except ModuleNotFoundError:
        return {}
    memory = psutil.virtual_memory()
    return {
        "cpu_utilization_percentage": psutil.cpu_percent(),
        "system_memory_usage_megabytes": round(memory.used / 1e6, 1),
        "system_memory_usage_percentage": memory.percent,
        "process_memory_megabytes": round(psutil.Process().memory_info().rss / 1e6, 1),
    }


def sample_gpus() -> dict[str, float]:
    """Load, memory and power of the GPUs that PyTorch sees; empty without any or without nvidia-smi."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return {}
    seen = {str(torch.cuda.get_device_properties(place).uuid): place for place in range(torch.cuda.device_count())}
    command = ["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=8, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    return parse_gpus(result.stdout, seen)


def parse_gpus(text: str, seen: dict[str, int]) -> dict[str, float]:
    """The values of nvidia-smi's lines for the GPUs of `seen` (UUID without `GPU-` to place); what it lacks is left."""
    values: dict[str, float] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        place = seen.get(cells[0].removeprefix("GPU-"))
        if place is None or len(cells) != len(QUERY.split(",")):
            continue
        load, used, total, power = (_number(cell) for cell in cells[1:])
        found = {
            "utilization_percentage": load,
            "memory_usage_megabytes": used,
            "memory_usage_percentage": round(100 * used / total, 1) if used is not None and total else None,
            "power_usage_watts": power,
        }
        values |= {f"gpu_{place}_{name}": value for name, value in found.items() if value is not None}
    return values


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
