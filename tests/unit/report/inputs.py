"""Inputs of a report as the stages before it write them, small and drawn: no photograph, no training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa

from blindface.base.files import write_json, write_text
from blindface.base.image_table import ImageTableWriter
from blindface.base.randomness import generator
from blindface.landmarks.pose import mean_shape
from blindface.landmarks.table import Landmarks, write_landmarks
from blindface.params import OBJECTIVES, SubgroupsParams, validate
from blindface.report import Sources
from blindface.subgroups.stage import measure_subgroups
from blindface.subgroups.table import Methods

DRAWN = {"k": pa.int32(), "sigma": pa.float64(), "s": pa.int32(), "delta": pa.float64(), "q": pa.int32()}
# quality, in dB of PSNR, that makes the synthetic scores plausible
LEVELS = {"blind1": 20.1, "progressive1": 22.0, "blind2": 21.0, "progressive2": 23.4, "sequence": 21.8}
MODELS = ("progressive1", "progressive2")
METRICS = {
    "psnr_batch": ("PSNR of the batch", "higher", "RGB, from the mean squared error of a whole batch."),
    "psnr": ("PSNR", "higher", "RGB, per image."),
    "ssim": ("SSIM", "higher", "RGB, Gaussian window of 11 px."),
    "ms_ssim": ("MS-SSIM", "higher", "RGB, five scales, the window shrinks to the image."),
    "lpips_squeeze": ("LPIPS (squeeze)", "lower", "SqueezeNet 1.1, linear heads v0.1."),
    "niqe": ("NIQE", "lower", "Y, one block of 96 px."),
    "frechet_face_distance": ("Fréchet face distance", "lower", "MobileFaceNet embeddings."),
}


def face(name: str) -> np.ndarray:
    """A simple drawn face, (128, 128, 3) uint8, fixed by the name."""
    draw = generator(1, "face", name)
    image = np.full((128, 128, 3), draw.integers(90, 220, 3), np.uint8)
    skin = tuple(int(v) for v in np.array([224, 172, 140]) * draw.uniform(0.45, 1.1))
    skin = tuple(min(v, 250) for v in skin)
    hair = tuple(int(v) for v in draw.integers(15, 110, 3))
    shift = int(draw.integers(-6, 7))
    centre = (64 + shift, 68)
    cv2.ellipse(image, (64 + shift, 60), (42, 50), 0, 0, 360, hair, -1, cv2.LINE_AA)
    cv2.rectangle(image, (50 + shift, 100), (78 + shift, 128), tuple(int(v * 0.85) for v in skin), -1)
    cv2.ellipse(image, centre, (33, 43), 0, 0, 360, skin, -1, cv2.LINE_AA)
    for side in (-1, 1):
        eye = (centre[0] + side * 14, 60)
        cv2.ellipse(image, eye, (7, 4), 0, 0, 360, (245, 245, 240), -1, cv2.LINE_AA)
        cv2.circle(image, eye, 3, (40, 50, 60), -1, cv2.LINE_AA)
        cv2.ellipse(image, (eye[0], 50), (9, 3), 0, 180, 360, hair, 2, cv2.LINE_AA)
    cv2.line(image, (centre[0], 62), (centre[0] + 4, 80), tuple(int(v * 0.8) for v in skin), 2, cv2.LINE_AA)
    cv2.ellipse(image, (centre[0], 94), (12, int(draw.integers(2, 8))), 0, 0, 180, (160, 60, 70), -1, cv2.LINE_AA)
    return image


def write_inputs(folder: Path, count: int = 24, epochs: int = 20, seed: int = 5, labels: bool = False) -> Sources:
    """Write all inputs of a report of `count` test images and return where they are; `labels` adds charts by label."""
    params = validate({"fetch": {"source": "embedded"}, "report": {"title": "A report of drawn faces"}})
    ids = [f"Person_{number // 2:03d}/Person_{number // 2:03d}_{number % 2 + 1:04d}" for number in range(count)]
    targets = np.stack([face(name) for name in ids])
    _write_targets(folder / "targets.parquet", ids, targets)
    write_text(folder / "split.csv", "id,part\n" + "".join(f"{name},test\n" for name in ids) + "A/A_0001,train\n")
    write_text(folder / "skipped.csv", "id,reason\nBroken/Broken_0001,not an image\n")
    missing = {"missing": "vgg19 (VGG19) cannot be had: there is no network."}
    write_json(
        folder / "weights.json", {"files": {"niqe": {"file": "niqe.mat", "sha256": "ab" * 32}, "vgg19": missing}}
    )
    recalled = {"restored": 0.41, "target": 0.4, "own": 0.7, "recalled": 0.025, "excess": 0.01, "interval": [0.0, 0.02]}
    write_json(folder / "memorisation.json", {"methods": {"progressive1": {"faces": count, **recalled}}})
    draws = {o: _write_pairs(folder / f"{o}.pairs.parquet", o, ids, targets, params) for o in OBJECTIVES}
    sources = Sources(
        params=params,
        targets=folder / "targets.parquet",
        split=folder / "split.csv",
        skipped=folder / "skipped.csv",
        weights=[folder / "weights.json"],
        memorisation=folder / "memorisation.json",
        pairs={o: folder / f"{o}.pairs.parquet" for o in OBJECTIVES},
        models={model: folder / model for model in MODELS},
        steps={model: folder / f"{model}.steps.parquet" for model in MODELS},
    )
    for model in MODELS:
        _write_model(folder / model, epochs, seed)
        _write_steps(folder / f"{model}.steps.parquet", ids[:4], targets[:4])
    restored = {}
    for method, level in LEVELS.items():
        objective = "objective2" if method.endswith("2") else "objective1"
        write_scores(folder, method, level, ids, draws[objective])
        if not method.startswith("blind"):
            restored[method] = folder / f"{method}.restored.parquet"
            blurred = np.stack([cv2.GaussianBlur(image, (0, 0), 1.6) for image in targets])
            with ImageTableWriter(restored[method], {"id": pa.string()}, {"image": (128, 128, 3)}) as writer:
                writer.append({"id": ids}, {"image": blurred})
    scored = {method: folder / f"{method}.parquet" for method in LEVELS}
    write_groups(folder, ids, scored, sources.pairs, labels)
    return replace(
        sources,
        subgroups=folder / "subgroups.csv",
        groups=folder / "subgroups.json",
        restored=restored,
        scores=[folder / f"{method}.json" for method in LEVELS],
        images=[folder / f"{method}.parquet" for method in LEVELS],
    )


def write_groups(
    folder: Path, ids: list[str], scored: dict[str, Path], pairs: Mapping[str, Path], labelled: bool
) -> None:
    """Metrics by group: poses in a row, and perhaps predicted labels by turns."""
    turns = {"smile": 2, "mouth": 2, "expression": 3, "eyewear": 4, "hat": 6, "ethnic_group": 3, "gender": 2}
    columns = {"id": pa.string()} | dict.fromkeys((*turns, "gender_second"), pa.string())
    labels = {name: [f"{name} {place % count}" for place in range(len(ids))] for name, count in turns.items()}
    with ImageTableWriter(folder / "labels.parquet", columns, metadata={"source": "predicted"}) as writer:
        writer.append({"id": ids, **labels, "gender_second": labels["gender"]}, {})
    count = len(ids)
    points = np.tile(mean_shape()[:, :2].astype(np.float32) / 2 + 64, (count, 1, 1))
    kind = np.float32
    part = Landmarks(
        found=np.ones(count, bool),
        points_128=points,
        points_64=points / 2,
        box=np.full((count, 4), 64, kind),
        score=np.ones(count, kind),
        faces=np.arange(count, dtype=np.int32) % 3 + 1,
        yaw=np.linspace(-40, 40, count, dtype=kind),
        pitch=np.linspace(-20, 20, count, dtype=kind),
    )
    settings = '{"backend": "pfld", "detector": "yunet"}'
    write_landmarks(folder / "landmarks.parquet", [(ids, part)], {"settings": settings})
    sees = {name: "objective2" if name.endswith("2") else "objective1" for name in scored}
    methods = Methods(
        {name: pd.read_parquet(path) for name, path in scored.items()},
        sees,
        {"objective1": "blind1", "objective2": "blind2"},
    )
    params = SubgroupsParams(small=5)
    files = (folder / "landmarks.parquet", folder / "labels.parquet" if labelled else None, pairs)
    measure_subgroups(methods, *files, params, 50, 1, folder / "subgroups.csv", folder / "subgroups.json")


def _write_targets(path: Path, ids: list[str], images: np.ndarray) -> None:
    with ImageTableWriter(path, {"id": pa.string(), "person": pa.string()}, {"target": (128, 128, 3)}) as writer:
        writer.append({"id": ids, "person": [name.split("/")[0] for name in ids]}, {"target": images})


def _write_pairs(path: Path, objective: str, ids: list[str], targets: np.ndarray, params: object) -> pd.DataFrame:
    ranges = getattr(params.pairs, objective)  # type: ignore[attr-defined]
    rows, images = [], []
    for name, target in zip(ids, targets, strict=True):
        draw = generator(2, objective, name)
        row = {key: draw.integers(*getattr(ranges, key), endpoint=True) for key in ("k", "s", "q")}
        row |= {key: draw.uniform(*getattr(ranges, key)) for key in ("sigma", "delta")}
        small = cv2.resize(cv2.GaussianBlur(target, (0, 0), row["sigma"] + 0.1), (int(row["s"]),) * 2)
        noisy = np.clip(small + draw.normal(0, row["delta"], small.shape), 0, 255).astype(np.uint8)
        images.append(cv2.resize(noisy, (ranges.u, ranges.u)))
        rows.append({"id": name, **row})
    frame = pd.DataFrame(rows)[["id", *DRAWN]]
    with ImageTableWriter(path, {"id": pa.string(), **DRAWN}, {"blind": (ranges.u, ranges.u, 3)}) as writer:
        writer.append({name: frame[name].to_list() for name in frame}, {"blind": np.stack(images)})
    return frame


def write_scores(folder: Path, method: str, level: float, ids: list[str], draws: pd.DataFrame) -> None:
    """METHOD.json and METHOD.parquet with plausible numbers that depend on the drawn blur and size."""
    draw = generator(3, method)
    psnr = level - 0.25 * draws["sigma"] + 0.02 * (draws["s"] - 80) + draw.normal(0, 0.5, len(ids))
    place = (psnr - 15) / 15
    frame = pd.DataFrame({"id": ids, "psnr": psnr, "ssim": 0.4 + 0.4 * place, "ms_ssim": 0.6 + 0.4 * place})
    frame["lpips_squeeze"] = 0.6 - 0.5 * place - (0 if method.startswith("blind") else 0.2)
    frame["niqe"] = 18 - 12 * place
    frame["high_frequency_ratio"] = 0.1 if method.startswith("blind") else 0.7
    frame.to_parquet(folder / f"{method}.parquet")
    metrics = {}
    for name, (label, better, protocol) in METRICS.items():
        values = frame[{"psnr_batch": "psnr"}.get(name, name)] if name != "frechet_face_distance" else None
        mean = 0.35 - 0.01 * level if values is None else float(values.mean())
        metrics[name] = {
            "label": label,
            "better": better,
            "protocol": protocol,
            "batch_mean": mean,
            "batch_std": None if values is None else float(values.std()) / 4,
            "image_mean": None if values is None or name == "psnr_batch" else mean,
            "interval": None if values is None or name == "psnr_batch" else [mean * 0.98, mean * 1.02],
            "unavailable": None,
        }
    content = {"method": method, "images": len(ids), "batch_size": 8, "metrics": metrics}
    write_json(folder / f"{method}.json", content | {"backbones": {}, "versions": {"torch": "2.11.0"}})


def _write_model(folder: Path, epochs: int, seed: int) -> None:
    draw = generator(seed, folder.name)
    rows = []
    for epoch in range(1, epochs + 1):
        for step in (1, 2, 3):
            fall = np.exp(-epoch / 6) + 0.05 * draw.random()
            rows.append({"epoch": epoch, "step": step, "adversarial": 3 * draw.normal() - epoch * 0.2 * step})
            rows[-1] |= {"pixel": 0.08 + 0.15 * fall / step, "perceptual": 0.5 + fall, "penalty": 0.3 * fall * step}
            rows[-1] |= {"attention": 0.0 if step == 1 else 4 + 10 * fall * step, "critic_gap": 12 * fall + 2 * step}
            rows[-1] |= {"psnr": 17 + 4 * (1 - fall) + (3 - step), "ssim": 0.4 + 0.2 * (1 - fall)}
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(folder / "history.csv", index=False)
    write_json(folder / "run.json", {"seconds": 61.2, "device": "cpu", "batches": 800, "params": {"epochs": epochs}})
    write_text(folder / "generator.safetensors", "not read by the report, only hashed")


def _write_steps(path: Path, ids: list[str], images: np.ndarray) -> None:
    shapes = {f"step{n}": (size, size, 3) for n, size in ((1, 32), (2, 64), (3, 128))}
    stacks = {
        name: np.stack([cv2.resize(image, shape[:2], interpolation=cv2.INTER_AREA) for image in images])
        for name, shape in shapes.items()
    }
    with ImageTableWriter(path, {"id": pa.string()}, shapes) as writer:
        writer.append({"id": ids}, stacks)
