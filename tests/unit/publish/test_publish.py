"""What is published of an experiment: the small model files, their cards, the results, and the README's table."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from blindface.base.errors import InputError
from blindface.base.files import sha256_file, write_json
from blindface.networks import Generator
from blindface.networks.model_file import load_generator, save_generator
from blindface.params import OBJECTIVES
from blindface.publish import publish_model, publish_results, write_card
from blindface.publish.readme import BEGIN, END, results_table, update_readme
from blindface.publish.sample import sample_sheet, write_overview, write_sample
from blindface.report.inputs.names import SOURCES

METRICS = {
    "psnr_batch": {"label": "PSNR (batch)", "better": "higher", "batch_mean": 21.25, "interval": None},
    "niqe": {"label": "NIQE", "better": "lower", "batch_mean": 7.5, "interval": [7.4, 7.6]},
    "lpips_squeeze": {"label": "LPIPS (squeeze)", "better": "lower", "batch_mean": None, "interval": None},
}


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A working directory as a finished experiment leaves it, with one objective and a very small generator."""
    run = tmp_path / "run"
    folder, scores = run / "data" / "models" / "progressive1", run / "data" / "scores"
    torch.manual_seed(3)
    network = Generator(32)
    save_generator(
        folder / "generator.safetensors",
        {"ema": network.state_dict(), "raw": network.state_dict()},
        network.arguments,
        objective="objective1",
    )
    (folder / "history.csv").write_text("epoch,step\n1,1\n")
    train = {
        **{"ema": 0.999, "degradation": "fresh", "epochs": 5, "learning_rate": 0.001, "learning_rate_decay": 0.5},
        **{"seed": 7, "precision": "bf16", "perceptual": {"backbone": "none", "layers": ["relu1_1"]}},
        "objective1": {
            **{"batch_size": 4, "encoder": "none"},
            **{name: {"final": [1.0, 2.0, 3.5]} for name in ("adversarial", "pixel", "perceptual", "attention")},
        },
    }
    write_json(
        folder / "run.json",
        {
            **{"objective": "objective1", "params": {"train": train}, "images": 1234, "faces": 1200, "seconds": 600.0},
            **{"versions": {"torch": "2.0", "commit": "abc"}, "device": {"name": "a card"}},
            **{"weights_sha256": "e" * 64, "generator_parameters": 4242},
        },
    )
    scores.mkdir(parents=True)
    ids = [f"Rendered_Person_{place:03d}/one" for place in range(100)]
    values = np.linspace(20, 22, 100)
    pd.DataFrame({"id": ids, "psnr": values, "niqe": np.nan}).to_parquet(scores / "progressive1.parquet")
    write_json(scores / "progressive1.json", {"images": 100, "metrics": METRICS})
    write_json(scores / "blind1.json", {"images": 100, "metrics": METRICS})
    write_json(run / "data" / "checked" / "objective1.json", {})
    write_json(run / "data" / "weights" / "train" / "manifest.json", {})
    reports, logs = run / "reports", run / "logs" / "benchmarks"
    (reports / "figures").mkdir(parents=True)
    for name in ("examples", "steps", "degradations", "metrics", "severity_objective1"):
        (reports / "figures" / f"{name}.png").write_bytes(b"picture")
    write_json(reports / "metrics.json", {"objective1": {"psnr_batch": 21.25}})
    (reports / "metrics.md").write_text("table")
    (reports / "per_image.csv").write_text("id,method,psnr\nRendered_Person_000/one,objective1,20\n")
    logs.mkdir(parents=True)
    (logs / "split.tsv").write_text("s\th:m:s\tmax_rss\tcpu_time\n1.5\t0:00:01\t100.0\t1.25\n")
    return run


def test_published_generator_is_small_and_restores_as_before(finished: Path, tmp_path: Path) -> None:
    folder, output = finished / "data" / "models" / "progressive1", tmp_path / "models" / "progressive1.safetensors"
    digest = publish_model(folder, finished / "data" / "scores" / "progressive1.parquet", output)
    assert digest == sha256_file(output)
    source = folder / "generator.safetensors"
    assert output.stat().st_size < 0.3 * source.stat().st_size  # averaged weights alone, and half of their bytes
    blind = torch.rand(2, 3, 16, 16) * 2 - 1
    for ours, before in zip(load_generator(output)(blind), load_generator(source)(blind), strict=True):
        torch.testing.assert_close(ours, before, atol=0.02, rtol=0.0)  # about 1 % of their spread


def test_record_beside_a_published_generator_holds_metrics_of_64_images(finished: Path, tmp_path: Path) -> None:
    output = tmp_path / "objective1.safetensors"
    digest = publish_model(
        finished / "data" / "models" / "progressive1", finished / "data" / "scores" / "progressive1.parquet", output
    )
    record = json.loads(output.with_suffix(".json").read_text())
    assert record["sha256"] == digest
    assert len(record["images"]) == 64
    assert record["images"]["Rendered_Person_000/one"] == {"psnr": 20.0}  # a missing value is left out


def test_weights_that_half_precision_cannot_hold_are_refused(finished: Path, tmp_path: Path) -> None:
    source = finished / "data" / "models" / "progressive1" / "generator.safetensors"
    network = Generator(32)
    state = network.state_dict()
    state["to_rgb.0.weight"][0, 0] = 1e6
    save_generator(source, {"ema": state, "raw": state}, network.arguments, objective="objective1")
    with pytest.raises(InputError, match=r"to_rgb.0.weight that half precision cannot hold"):
        publish_model(source.parent, finished / "data" / "scores" / "progressive1.parquet", tmp_path / "m.safetensors")
    assert not (tmp_path / "m.safetensors").exists()


def test_published_results_hold_everything_but_photographs(finished: Path, tmp_path: Path) -> None:
    output = tmp_path / "lfw"
    output.mkdir()
    (output / "stale.csv").write_text("of an earlier experiment")
    args = (finished / "data", finished / "reports", finished / "logs", output)
    names = {str(path.relative_to(output)) for path in publish_results(*args)}
    assert names == {
        *("metrics.md", "metrics.json", "per_image.csv", "stages.csv"),
        *("figures/metrics.png", "figures/severity_objective1.png"),
        *("models/progressive1.history.csv", "models/progressive1.run.json"),
        *("checked/objective1.json", "weights/train/manifest.json"),
    }
    assert (output / "stages.csv").read_text().splitlines()[1] == "split,1.5,1.25,100.0"
    assert (output / "per_image.csv").read_bytes() == (finished / "reports" / "per_image.csv").read_bytes()


def test_results_of_a_report_without_image_ids_are_published_and_say_so(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (finished / "reports" / "per_image.csv").unlink()
    written = publish_results(finished / "data", finished / "reports", finished / "logs", tmp_path / "lfw")
    assert {"metrics.json", "stages.csv"} <= {path.name for path in written}
    assert "per_image.csv" not in {path.name for path in written}
    assert "has no per_image.csv" in "".join(capsys.readouterr())


def test_results_without_a_report_are_refused_and_lose_nothing(finished: Path, tmp_path: Path) -> None:
    shutil.rmtree(finished / "reports")
    (tmp_path / "lfw").mkdir()
    (tmp_path / "lfw" / "kept.csv").write_text("kept")
    with pytest.raises(InputError, match=r"metrics.json is missing: run the experiment"):
        publish_results(finished / "data", finished / "reports", finished / "logs", tmp_path / "lfw")
    assert (tmp_path / "lfw" / "kept.csv").is_file()


def test_sample_sheet_shows_blind_steps_and_original_of_rendered_faces(finished: Path) -> None:
    model = finished / "data" / "models" / "progressive1" / "generator.safetensors"
    sheet = sample_sheet(model, "objective1", faces=((1, 1),))
    assert sheet.shape == (128, 5 * 128, 3)
    blind, step1 = sheet[:, :128], sheet[:, 128:256]
    assert (blind.reshape(16, 8, 16, 8, 3) == blind[::8, ::8][:, None, :, None]).all()  # 16x16 pixels, enlarged
    assert (step1.reshape(32, 4, 32, 4, 3) == step1[::4, ::4][:, None, :, None]).all()
    assert sheet[:, 512:].std() > 20
    path = write_sample(model, "objective1")
    assert path.name == "generator.png"
    assert (cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)[:128] == sheet).all()


def test_overview_shows_both_models_beside_their_own_blind_images(tmp_path: Path) -> None:
    torch.manual_seed(0)
    for name, encoder in (("objective1", "none"), ("objective2", "plain")):
        network = Generator(8, encoder)
        save_generator(tmp_path / f"{name}.safetensors", {"ema": network.state_dict()}, network.arguments)
    models = {objective: tmp_path / f"{objective}.safetensors" for objective in OBJECTIVES}
    write_overview(tmp_path / "restored.png", models, faces=((1, 1), (6, 1)))
    picture = cv2.imread(str(tmp_path / "restored.png"), cv2.IMREAD_COLOR_RGB)
    cell, gap, head = 256, 14, 60  # of the report's montages
    assert picture.shape == (head + gap + 2 * (cell + gap), 5 * (cell + gap) + gap, 3)
    for column, (objective, place) in enumerate(
        [("objective1", 0), ("objective1", 3), ("objective2", 0), ("objective2", 3), ("objective2", 4)]
    ):
        sheet = sample_sheet(tmp_path / f"{objective}.safetensors", objective, faces=((1, 1), (6, 1)))
        for row in range(2):
            top, left = head + gap + row * (cell + gap), gap + column * (cell + gap)
            shown = picture[top : top + cell : 2, left : left + cell : 2].astype(int)
            expected = sheet[row * 128 : row * 128 + 128, place * 128 : place * 128 + 128].astype(int)
            assert np.abs(shown - expected).mean() < 1


def test_card_tells_data_training_results_and_groups(finished: Path, tmp_path: Path) -> None:
    groups = pd.DataFrame(
        {
            **{"issue": ["e", "e", "a"], "kind": ["gender"] * 2 + ["faces"], "group": ["female", "male", "one"]},
            **{"source": ["predicted"] * 3, "method": ["progressive1"] * 3, "metric": ["psnr"] * 3},
            **{"n": [20, 80, 100], "mean": [21.0, 20.5, 20.6], "small": [True, False, False]},
        }
    )
    groups.to_csv(tmp_path / "groups.csv", index=False)
    write_card(
        finished / "data" / "models" / "progressive1",
        finished / "data" / "scores" / "progressive1.json",
        tmp_path / "progressive1.md",
        photographs="lfw-150",
        digest="d" * 64,
        groups=tmp_path / "groups.csv",
    )
    card = (tmp_path / "progressive1.md").read_text()
    for text in (
        *(
            "# progressive1: 16×16 blind faces",
            "d" * 64,
            f"{SOURCES['lfw-150']}: 1,234 to train on",
            "4,242: channels 32, encoder none",
        ),
        "1 of 5 epochs",
        *("| NIQE ↓ | 7.50 | 7.50 | 7.40 to 7.60 |", "| pixel | 1.0 | 2.0 | 3.5 |", "10 minutes on a card"),
        *(
            "| gender | gender: female* | predicted | 20 | 21.00 |",
            "| gender | gender: male | predicted | 80 | 20.50 |",
        ),
        "Never use a restored face to identify a person",
    ):
        assert text in card, text
    assert "LPIPS" not in card  # not measured, so not told


def test_readme_table_sets_ours_beside_the_papers() -> None:
    table = results_table(
        {
            "progressive1": {"psnr_batch": 21.26, "ssim": 0.664, "lpips_squeeze": 0.2, "frechet_face_distance": 0.1},
            "blind1": {"psnr_batch": 20.1, "ssim": 0.58, "lpips_squeeze": 0.5, "frechet_face_distance": 0.8},
        }
    ).splitlines()
    # The paper's numbers: 20.6 dB, SSIM 0.65, LPIPS 0.295 of 0.468, FID 40 of 240
    assert table[2].startswith("| blind 16×16 | 20.1 (20.1) |")
    assert table[3] == "| progressive 1 | 21.3 (20.6) | 0.66 (0.65) | – | – | 0.40 (0.63) | 0.12 (0.17) |"


def test_readme_is_updated_between_its_marks_and_only_once(tmp_path: Path) -> None:
    readme, folder = tmp_path / "README.md", tmp_path / "lfw"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_json(folder / "metrics.json", {"objective1": {"psnr_batch": 21.26}})
    assert update_readme(readme, folder)
    text = readme.read_text()
    assert text.startswith(f"before\n{BEGIN}\n\n| ours (paper)")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert not update_readme(readme, folder)


def test_readme_without_marks_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("nothing here")
    with pytest.raises(InputError, match="has no place for the results"):
        update_readme(tmp_path / "README.md", tmp_path)
