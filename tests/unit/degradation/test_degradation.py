"""Equation (1) with known answers, and the bytes of pairs under any number of workers."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats

from blindface.base.errors import InputError
from blindface.base.image_table import ImageTableWriter, read_images, read_metadata, read_table
from blindface.base.images import Image
from blindface.degradation import Degrader, Drawn, degrade, degrade_many, draw, make_pairs, noise_generator
from blindface.degradation import stage as stage_module
from blindface.degradation.batch import useful_workers
from blindface.degradation.equation import add_noise, blur, gaussian_kernel, jpeg, kernel_size, standard_normal
from blindface.degradation.export import export_pairs
from blindface.params import DegradationParams, PairsParams

PARAMS = PairsParams()
GOLDEN_DRAW = Drawn(k=11, sigma=8.02141725906945, s=16, delta=18.595042848325576, q=70)
GOLDEN_VERSIONS = "OpenCV 5.0.0, NumPy 2.4.6"
GOLDEN_BLIND = {
    "objective1": "c41db3f6aae70296b6bad0414389b7e7bc3989a9415e264b01de41ba3d546ec7",
    "objective2": "4f65212043a0c2113e8ff05d8198c3a7cfb13d18b49f885626176439ba1d468f",
}
MILD = Drawn(k=1, sigma=0.0, s=128, delta=0.0, q=100)


def faces(count: int, side: int = 128) -> Image:
    """Smooth coloured pictures, equal everywhere: integer arithmetic only."""
    y, x = np.mgrid[:side, :side]
    stack = [
        [(x * (n + 2) + y * 3) // 4 % 256, (y * (n + 1) + 40) % 256, (x * y // 64 + 10 * n) % 256] for n in range(count)
    ]
    return np.ascontiguousarray(np.array(stack, dtype=np.uint8).transpose(0, 2, 3, 1))


def rng(name: str = "x") -> np.random.Generator:
    return noise_generator(1, "objective1", name)


# The kernel


def test_kernel_conventions() -> None:
    assert [kernel_size(k, "radius") for k in (1, 2, 5, 11)] == [3, 5, 11, 23]
    assert [kernel_size(k, "odd_up") for k in (1, 2, 3, 4)] == [1, 3, 3, 5]
    assert [kernel_size(k, "odd_down") for k in (1, 2, 3, 4)] == [1, 1, 3, 3]


@pytest.mark.parametrize("sigma", [1e-3, 0.3, 1.0, 3.7, 10.0])
@pytest.mark.parametrize("size", [3, 11, 23])
def test_kernel_is_symmetric_sums_to_one_and_is_the_gaussian(size: int, sigma: float) -> None:
    kernel = gaussian_kernel(size, sigma)
    assert kernel.sum() == 1.0
    assert (kernel == kernel[::-1]).all()
    assert ((kernel * 256) % 1 == 0).all()
    reference = cv2.getGaussianKernel(size, sigma).ravel()
    # each weight is the difference of two rounded sums, the centre that of four halves
    assert np.abs(kernel - reference).max() <= 1.01 / 256


def test_a_bright_pixel_spreads_as_the_kernel() -> None:
    image = np.zeros((31, 31, 3), np.uint8)
    image[15, 15] = 255
    kernel = gaussian_kernel(11, 2.0)
    expected = np.zeros((31, 31))
    expected[10:21, 10:21] = np.outer(kernel, kernel) * 255
    assert (blur(image, 11, 2.0) == np.rint(expected)[..., None]).all()


@pytest.mark.parametrize(("size", "sigma"), [(3, 0.8), (7, 1.5), (11, 5.0), (23, 10.0)])
def test_blur_is_opencvs_gaussian_within_a_level(size: int, sigma: float) -> None:
    image = faces(1)[0]
    reference = cv2.GaussianBlur(image.astype(np.float64), (size, size), sigma, borderType=cv2.BORDER_REFLECT_101)
    difference = blur(image, size, sigma).astype(float) - reference
    assert np.abs(difference).max() < 2.0
    assert abs(difference.mean()) < 0.05


def test_sigma_zero_is_no_blur_where_opencv_would_choose_one() -> None:
    image = faces(1)[0]
    assert (blur(image, 11, 0.0) == image).all()
    assert (cv2.GaussianBlur(image, (11, 11), 0) != image).any()
    assert (blur(image, 11, 1e-6) == image).all()


def test_the_border_is_the_named_one() -> None:
    image = np.zeros((9, 9, 3), np.uint8)
    image[:, 0] = 200
    left = {border: int(blur(image, 3, 1.0, border)[4, 0, 0]) for border in ("reflect_101", "reflect", "replicate")}
    side, centre, _ = gaussian_kernel(3, 1.0)
    assert left["reflect_101"] == round(200 * centre)
    assert left["reflect"] == left["replicate"] == round(200 * (centre + side))


# The noise


def test_noise_is_standard_normal() -> None:
    values = standard_normal(200_000, rng())
    assert values.dtype == np.float32
    # 5 standard errors: 1/sqrt(n) of the mean, 1/sqrt(2n) of the deviation
    assert abs(values.mean()) < 0.011
    assert abs(values.std() - 1) < 0.008
    assert stats.kstest(values, "norm").pvalue > 0.001


@pytest.mark.parametrize("delta", [3.0, 10.0, 30.0])
def test_noise_has_the_drawn_deviation_per_channel_independently(delta: float) -> None:
    grey = np.full((200, 200, 3), 128, np.uint8)
    noise = add_noise(grey, delta, rng()).astype(float) - 128
    # rounding adds a variance of 1/12
    assert noise.std(axis=(0, 1)) == pytest.approx([np.sqrt(delta**2 + 1 / 12)] * 3, rel=0.02)
    assert np.abs(np.corrcoef(noise.reshape(-1, 3).T) - np.eye(3)).max() < 0.03


@pytest.mark.parametrize("level", [0, 255])
def test_noise_is_clipped_and_never_wraps_around(level: int) -> None:
    noisy = add_noise(np.full((64, 64, 3), level, np.uint8), 20.0, rng())
    assert np.abs(noisy.astype(int) - level).max() < 100
    assert (noisy == level).mean() > 0.45


def test_noise_of_zero_changes_nothing() -> None:
    assert (add_noise(faces(1)[0], 0.0, rng()) == faces(1)[0]).all()


# JPEG


def test_jpeg_at_100_is_near_the_image_and_worse_below() -> None:
    image = cv2.GaussianBlur(faces(1)[0], (9, 9), 3)
    error = {q: np.abs(jpeg(image, q, "444").astype(float) - image).mean() for q in (100, 90, 50)}
    assert error[100] < 1.0
    assert error[100] < error[90] < error[50]


def test_jpeg_keeps_the_order_of_colours() -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[..., 0] = 200
    assert jpeg(image, 95).mean(axis=(0, 1)) == pytest.approx([200, 0, 0], abs=4)


def test_chroma_subsampling_is_the_named_one() -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, ::2, 0] = 255
    error = {chroma: np.abs(jpeg(image, 95, chroma).astype(float) - image).mean() for chroma in ("420", "422", "444")}
    assert error["444"] < 0.2 * min(error["420"], error["422"])
    stripes = np.ascontiguousarray(image.transpose(1, 0, 2))
    assert np.abs(jpeg(stripes, 95, "422").astype(float) - stripes).mean() < 0.2 * error["422"]


# The whole equation


def test_nothing_drawn_leaves_the_image_nearly_as_it_is() -> None:
    smooth = cv2.GaussianBlur(faces(1)[0], (9, 9), 3)
    params = PairsParams(chroma="444")
    assert np.abs(degrade(smooth, MILD, rng(), params, 128).astype(float) - smooth).mean() < 1.0


@pytest.mark.parametrize("size", [16, 128])
@pytest.mark.parametrize("s", [4, 16, 43, 128])
def test_the_result_has_the_asked_size(size: int, s: int) -> None:
    result = degrade(faces(1)[0], Drawn(11, 10.0, s, 30.0, 50), rng(), PARAMS, size)
    assert result.shape == (size, size, 3)
    assert result.dtype == np.uint8


def test_the_target_is_not_written_to() -> None:
    image = faces(1)[0]
    before = image.copy()
    degrade(image, Drawn(1, 0.0, 128, 30.0, 100), rng(), PARAMS, 128)
    assert (image == before).all()


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(InputError, match="uint8 RGB"):
        degrade(np.zeros((8, 8, 3), np.float32), MILD, rng(), PARAMS, 16)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="uint8 RGB"):
        degrade(np.zeros((8, 8), np.uint8), MILD, rng(), PARAMS, 16)


# The draws


def test_draws_are_uniform_and_reach_both_ends() -> None:
    ranges = DegradationParams(u=16, k=(1, 3), sigma=(0.0, 5.0), s=(43, 46), delta=(2.0, 10.0), q=(60, 62))
    draws = [draw(1, "objective1", f"n{n}", ranges) for n in range(3000)]
    for name in ("k", "s", "q"):
        low, high = getattr(ranges, name)
        counts = np.bincount([getattr(one, name) for one in draws])[low:]
        assert len(counts) == high - low + 1
        assert stats.chisquare(counts).pvalue > 0.001
    for name in ("sigma", "delta"):
        low, high = getattr(ranges, name)
        values = [(getattr(one, name) - low) / (high - low) for one in draws]
        assert stats.kstest(values, "uniform").pvalue > 0.001


def test_the_ends_of_a_real_range_are_included() -> None:
    from blindface.degradation.draws import _integer, _real

    assert (_real(0, (2.0, 10.0)), _real(2**128 - 1, (2.0, 10.0))) == (2.0, 10.0)
    assert (_integer(0, (43, 128)), _integer(2**128 - 1, (43, 128))) == (43, 128)
    assert draw(1, "o", "n", DegradationParams(sigma=(3.0, 3.0), k=(2, 2))).sigma == 3.0


def test_draws_depend_on_seed_objective_id_and_epoch() -> None:
    ranges = PARAMS.objective1
    base = draw(1, "objective1", "a", ranges)
    others = [
        draw(2, "objective1", "a", ranges),
        draw(1, "objective2", "a", ranges),
        draw(1, "objective1", "b", ranges),
        draw(1, "objective1", "a", ranges, epoch=0),
        draw(1, "objective1", "a", ranges, epoch=1),
    ]
    assert base == draw(1, "objective1", "a", ranges)
    assert len({base, *others}) == 6


def test_golden_draw() -> None:
    # SHA-256 of seed, objective, id and name alone: equal under every version of Python, NumPy and OpenCV
    assert draw(2024, "objective2", "Ann/Ann_0001", PARAMS.objective2) == GOLDEN_DRAW


@pytest.mark.parametrize("objective", ["objective1", "objective2"])
def test_golden_bytes(objective: str) -> None:
    stack = degrade_many(faces(4), [f"Ann/Ann_{n:04d}" for n in range(4)], objective, PARAMS)  # type: ignore[arg-type]
    found = hashlib.sha256(stack.tobytes()).hexdigest()
    assert found == GOLDEN_BLIND[objective], (
        f"bytes made under {GOLDEN_VERSIONS}, now OpenCV {cv2.__version__}, NumPy {np.__version__}: if a version "
        "changed the encoder or a resize, record the new hashes; if not, the equation changed"
    )


# Many images


@pytest.mark.parametrize("objective", ["objective1", "objective2"])
def test_workers_and_order_do_not_change_the_bytes(objective: str) -> None:
    stack, names = faces(70), [f"p{n}" for n in range(70)]
    one = degrade_many(stack, names, objective, PARAMS, workers=1)  # type: ignore[arg-type]
    for workers in (2, 8):
        assert (degrade_many(stack, names, objective, PARAMS, workers=workers) == one).all()  # type: ignore[arg-type]
    backward = degrade_many(stack[::-1], names[::-1], objective, PARAMS, workers=2)  # type: ignore[arg-type]
    assert (backward[::-1] == one).all()
    with Degrader(objective, PARAMS, 1) as degrader:  # type: ignore[arg-type]
        assert (degrader.one(stack[5], "p5")[1] == one[5]).all()


def test_processes_make_the_same_bytes_as_one_thread() -> None:
    stack = np.random.default_rng(5).integers(0, 256, (40, 128, 128, 3), np.uint8)
    names = [f"Someone/{place}" for place in range(40)]
    with Degrader("objective2", PARAMS, workers=1) as one, Degrader("objective2", PARAMS, workers=2) as two:
        assert np.array_equal(one.many(stack, names), two.many(stack, names))


def test_no_process_is_started_for_few_images() -> None:
    assert [useful_workers(8, images) for images in (3, 999, 1000, 100_000)] == [1, 1, 2, 8]


def test_fresh_draws_repeat_within_an_epoch_and_differ_between() -> None:
    stack, names = faces(8), [f"p{n}" for n in range(8)]
    epochs = [degrade_many(stack, names, "objective1", PARAMS, epoch=epoch) for epoch in (None, 0, 1, 1)]
    assert (epochs[2] == epochs[3]).all()
    assert (epochs[0] != epochs[1]).any()
    assert (epochs[1] != epochs[2]).any()


def test_threads_of_opencv_are_restored() -> None:
    before = cv2.getNumThreads()
    degrade_many(faces(2), ["a", "b"], "objective1", PARAMS)
    assert cv2.getNumThreads() == before


def test_unequal_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="equally many"):
        degrade_many(faces(2), ["a"], "objective1", PARAMS)


def test_an_error_in_a_worker_reaches_the_caller() -> None:
    with pytest.raises(InputError, match="uint8 RGB"):
        degrade_many(np.zeros((1, 8, 8), np.uint8), ["a"], "objective1", PARAMS)


# The stage


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, Path]:
    """Targets and a split of 50 pictures: 40 train, 10 test."""
    names = [f"P{n:02d}/P{n:02d}_0001" for n in range(50)]
    stack = faces(50)
    targets, split = tmp_path / "targets.parquet", tmp_path / "split.csv"
    with ImageTableWriter(targets, {"id": pa.string(), "sha256": pa.string()}, {"target": (128, 128, 3)}) as writer:
        for start in range(0, 50, 20):
            some = stack[start : start + 20]
            hashes = [hashlib.sha256(image).hexdigest() for image in some]
            writer.append({"id": names[start : start + 20], "sha256": hashes}, {"target": some})
    rows = [f"{name},{'test' if n % 5 == 0 else 'train'}" for n, name in enumerate(names)]
    split.write_text("\n".join(["id,part", *rows]) + "\n")
    return targets, split


def test_pairs_of_a_part(made: tuple[Path, Path], tmp_path: Path) -> None:
    targets, split = made
    output = tmp_path / "test.parquet"
    assert make_pairs(targets, split, "objective2", "test", PARAMS, output, workers=2) == 10
    table = read_table(output)
    assert table["id"].tolist() == [f"P{n:02d}/P{n:02d}_0001" for n in range(0, 50, 5)]
    blind = read_images(output, "blind")
    assert blind.shape == (10, 128, 128, 3)
    wanted = read_images(targets, "target", table["id"].tolist())
    assert (blind == degrade_many(wanted, table["id"].tolist(), "objective2", PARAMS)).all()
    for row, image, target in zip(table.itertuples(), blind, wanted, strict=True):
        assert row.blind_sha256 == hashlib.sha256(image).hexdigest()
        assert row.target_sha256 == hashlib.sha256(target).hexdigest()
        stored = Drawn(row.k, row.sigma, row.s, row.delta, row.q)
        assert stored == draw(PARAMS.seed, "objective2", row.id, PARAMS.objective2)
        rng = noise_generator(PARAMS.seed, "objective2", row.id)
        assert (degrade(target, stored, rng, PARAMS, 128) == image).all()
    metadata = read_metadata(output)
    assert (metadata["objective"], metadata["part"]) == ("objective2", "test")
    assert (metadata["opencv"], metadata["numpy"]) == (cv2.__version__, np.__version__)


def test_one_line_of_pandas_reads_the_pairs(made: tuple[Path, Path], tmp_path: Path) -> None:
    make_pairs(*made, "objective1", "test", PARAMS, tmp_path / "p.parquet")
    frame = pd.read_parquet(tmp_path / "p.parquet")
    image = np.frombuffer(frame.blind[0], np.uint8).reshape(16, 16, 3)
    assert (image == read_images(tmp_path / "p.parquet", "blind")[0]).all()


def test_the_file_is_the_same_for_any_number_of_workers(made: tuple[Path, Path], tmp_path: Path) -> None:
    contents = set()
    for workers in (1, 2, 8):
        make_pairs(*made, "objective1", "train", PARAMS, tmp_path / "p.parquet", workers)
        contents.add((tmp_path / "p.parquet").read_bytes())
    assert len(contents) == 1


def test_shards_together_are_the_whole(made: tuple[Path, Path], tmp_path: Path) -> None:
    make_pairs(*made, "objective1", "train", PARAMS, tmp_path / "whole.parquet")
    folder = tmp_path / "train.parquet"
    for n in (3, 1, 2):
        make_pairs(*made, "objective1", "train", PARAMS, folder, shard=(n, 3))
    pd.testing.assert_frame_equal(pd.read_parquet(folder), pd.read_parquet(tmp_path / "whole.parquet"))
    pd.testing.assert_frame_equal(read_table(folder), read_table(tmp_path / "whole.parquet"))
    assert (read_images(folder, "blind") == read_images(tmp_path / "whole.parquet", "blind")).all()
    assert read_metadata(folder) == read_metadata(tmp_path / "whole.parquet")


def test_shards_that_cannot_be_are_refused(made: tuple[Path, Path], tmp_path: Path) -> None:
    make_pairs(*made, "objective1", "test", PARAMS, tmp_path / "file")
    make_pairs(*made, "objective1", "test", PARAMS, tmp_path / "folder", shard=(1, 2))
    for path, shard, reason in (
        (tmp_path / "file", (4, 3), "shard 4/3 does not exist"),
        (tmp_path / "file", (1, 2), "is one file: delete it to write shards"),
        (tmp_path / "folder", (1, 1), "is a folder of shards: delete it to write one file"),
    ):
        with pytest.raises(InputError, match=reason):
            make_pairs(*made, "objective1", "test", PARAMS, path, shard=shard)


def test_a_restart_in_the_middle_gives_the_same_file(
    made: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "p.parquet"
    make_pairs(*made, "objective1", "train", PARAMS, output)
    whole = output.read_bytes()
    output.unlink()
    monkeypatch.setattr(stage_module, "ROW_GROUP", 8)
    append = ImageTableWriter.append

    def append_twice(self: ImageTableWriter, *arguments: object) -> None:
        if self.rows >= 16:
            raise KeyboardInterrupt
        append(self, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ImageTableWriter, "append", append_twice)
        make_pairs(*made, "objective1", "train", PARAMS, output)
    assert [path.name for path in tmp_path.iterdir() if "p.parquet" in path.name or "partial" in path.name] == []
    monkeypatch.undo()
    make_pairs(*made, "objective1", "train", PARAMS, output)
    assert output.read_bytes() == whole


def test_an_empty_part_gives_an_empty_file(made: tuple[Path, Path], tmp_path: Path) -> None:
    assert make_pairs(*made, "objective1", "validation", PARAMS, tmp_path / "v.parquet") == 0
    assert len(read_table(tmp_path / "v.parquet")) == 0
    assert read_images(tmp_path / "v.parquet", "blind").shape == (0, 16, 16, 3)


def test_a_photograph_without_target_is_refused(made: tuple[Path, Path], tmp_path: Path) -> None:
    targets, split = made
    split.write_text(split.read_text() + "Zoe/Zoe_0001,test\n")
    with pytest.raises(InputError, match="first Zoe/Zoe_0001"):
        make_pairs(targets, split, "objective1", "test", PARAMS, tmp_path / "p.parquet")
    assert not (tmp_path / "p.parquet").exists()


def test_png_files_are_named_by_id(made: tuple[Path, Path], tmp_path: Path) -> None:
    pairs = tmp_path / "p.parquet"
    make_pairs(*made, "objective1", "test", PARAMS, pairs)
    assert export_pairs(made[0], pairs, tmp_path / "png", limit=3, kind="blind") == 3
    written = cv2.imread(str(tmp_path / "png" / "P00" / "P00_0001.png"))
    assert (cv2.cvtColor(written, cv2.COLOR_BGR2RGB) == read_images(pairs, "blind")[0]).all()
    assert export_pairs(made[0], pairs, tmp_path / "two", ids=["P05/P05_0001"]) == 1
    assert cv2.imread(str(tmp_path / "two" / "P05" / "P05_0001.png")).shape == (128, 256, 3)
    with pytest.raises(InputError, match="no image Zoe"):
        export_pairs(made[0], pairs, tmp_path / "png", ids=["Zoe"])
    with pytest.raises(InputError, match="kind"):
        export_pairs(made[0], pairs, tmp_path / "png", kind="triple")
