"""StudentNet, its training, and the one command that prints the table."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from depth_perception.errors import ConfigError  # noqa: E402
from depth_perception.sim.depth_code import encode_depth  # noqa: E402
from training.distill_student import distill, main, parse  # noqa: E402
from training.losses.consistency import warp_affine  # noqa: E402
from training.losses.photometric import photometric_error  # noqa: E402
from training.networks.student import StudentNet  # noqa: E402
from training.student_config import StudentConfig, load_config  # noqa: E402
from training.student_data import make_data, warp_nearest  # noqa: E402
from training.student_fit import RUNS, Objective, Run, fit, targets  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
TINY = {"size": 16, "augmentations": 20, "batch": 4, "learning_rate": 1e-2, "threads": 1}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny images are slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A picture whose colour tells its depth: (48, 64, 3) uint8 and (48, 64) metres."""
    noise = np.random.default_rng(0).uniform(0.2, 1.0, (6, 8)).astype(np.float32)
    near = cv2.resize(noise, (64, 48), interpolation=cv2.INTER_LINEAR)
    image = np.stack([255 * near, 255 - 200 * near, np.full_like(near, 90)], axis=2)
    return image.astype(np.uint8), (1 / near).astype(np.float32)


class TestStudentNet:
    def test_parameters_counted_by_hand(self) -> None:
        encoder1 = (3 * 9 + 1) * 32 + (32 * 9 + 1) * 32
        encoder2 = (32 * 9 + 1) * 64 + (64 * 9 + 1) * 64
        up, head = 64 * 4 * 32 + 32, (32 + 32) * 9 + 1
        assert encoder1 + encoder2 + up + head == 74_369
        assert sum(item.numel() for item in StudentNet().parameters()) == 74_369

    def test_one_channel_at_the_input_s_resolution(self) -> None:
        assert StudentNet()(torch.rand(2, 3, 12, 20)).shape == (2, 1, 12, 20)

    def test_the_sigmoid_variant_stays_between_0_and_1(self) -> None:
        torch.manual_seed(0)
        image = torch.rand(1, 3, 8, 8)
        plain, bounded = StudentNet(), StudentNet(sigmoid=True)
        bounded.load_state_dict(plain.state_dict())
        assert torch.allclose(bounded(image), plain(image).sigmoid())

    def test_the_skip_carries_full_resolution(self) -> None:
        network = StudentNet()
        torch.nn.init.zeros_(network.up.weight)  # nothing comes through the coarse path but a constant
        torch.nn.init.zeros_(network.up.bias)
        image = torch.rand(1, 3, 8, 8, requires_grad=True)
        network(image)[0, 0, 4, 4].backward()
        assert image.grad is not None
        reach = image.grad[0].abs().sum(dim=0) > 0
        assert reach[4, 4] and reach[2:7, 2:7].float().mean() > 0.5
        assert not reach[0].any()  # three 3x3 convolutions see 3 pixels each way; row 0 is 4 away

    def test_the_coarse_path_sees_farther(self) -> None:
        torch.manual_seed(0)
        image = torch.rand(1, 3, 24, 24, requires_grad=True)
        StudentNet()(image)[0, 0, 12, 12].backward()
        assert image.grad is not None
        assert (image.grad[0].abs().sum(dim=0)[12] > 0).sum() > 11


@pytest.fixture(scope="module")
def data() -> object:
    image, depth = scene()
    return make_data(image, lambda view: warp_nearest(1 / depth, view), StudentConfig(**TINY))


class TestFit:
    @pytest.mark.parametrize("run", [Run("n", normalised=True), Run("c", normalised=True, consistent=True)])
    def test_a_short_run_halves_the_validation_loss(self, data: object, run: Run) -> None:
        config = StudentConfig(**TINY, epochs_short=2, epochs_long=10, consistency_weight=1.0)
        epochs = list(fit(run, data, config))
        assert [epoch.number for epoch in epochs] == list(range(1, 11))
        assert epochs[-1].validation_loss < 0.5 * epochs[0].validation_loss
        assert epochs[-1].predictions.shape == (4, 16, 16)

    def test_a_long_run_passes_through_the_short_one(self, data: object) -> None:
        short = list(fit(Run("r", long=False), data, StudentConfig(**TINY, epochs_short=2, epochs_long=3)))
        long = list(fit(Run("r"), data, StudentConfig(**TINY, epochs_short=2, epochs_long=3)))
        assert len(short) == 2 and len(long) == 3
        assert [epoch.train_loss for epoch in short] == [epoch.train_loss for epoch in long[:2]]

    def test_raw_targets_are_the_labels_and_normalised_ones_have_unit_deviation(self, data) -> None:  # type: ignore[no-untyped-def]
        assert targets(data, normalised=False) is data.labels
        for label in targets(data, normalised=True):
            known = label[np.isfinite(label)]
            assert np.median(known) == pytest.approx(0, abs=1e-3) and np.abs(known).mean() == pytest.approx(1, abs=1e-3)

    def test_the_consistency_term_is_added_with_its_weight(self, data) -> None:  # type: ignore[no-untyped-def]
        torch.manual_seed(0)
        network, run = StudentNet(), Run("c", True, consistent=True)
        losses = {
            weight: Objective(data, run, StudentConfig(**TINY, consistency_weight=weight))(network, data.train[:4])
            for weight in (0.0, 1.0, 2.0)
        }
        losses = {weight: loss.item() for weight, (loss, _) in losses.items()}
        assert losses[1.0] > losses[0.0] + 1e-4
        assert losses[2.0] - losses[1.0] == pytest.approx(losses[1.0] - losses[0.0], rel=0.01)
        plain, _ = Objective(data, Run("n", True), StudentConfig(**TINY))(network, data.train[:4])
        assert plain.item() == pytest.approx(losses[0.0])

    def test_the_known_warp_brings_one_view_onto_another(self) -> None:
        image, depth = scene()
        config = StudentConfig(size=32, augmentations=12, jitter=0.0, hue_deg=0.0, rotation_deg=15.0)
        views = make_data(image, lambda view: warp_nearest(depth, view), config)
        a = torch.from_numpy(views.images).permute(0, 3, 1, 2).float() / 255
        warp = views.matrices[np.roll(np.arange(12), -1)] @ np.linalg.inv(views.matrices)
        warped, inside = warp_affine(a.roll(-1, 0), torch.from_numpy(warp[:, :2].astype(np.float32)))
        used = inside & torch.from_numpy(views.inside).unsqueeze(1)
        aligned = photometric_error(a, warped)[used].mean()
        assert aligned < 0.03 and photometric_error(a, a.roll(-1, 0))[used].mean() > 5 * aligned


class TestCommand:
    def rendered(self, folder: Path) -> str:
        image, depth = scene()
        depth[:4] = np.inf  # sky
        folder.mkdir()
        np.save(folder / "images.npy", image[None])
        np.save(folder / "depth.npy", encode_depth(depth)[None])
        return f"{folder}:0"

    def test_one_command_prints_the_whole_table(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out = tmp_path / "out"
        flags = {"size": 16, "augmentations": 12, "epochs-short": 1, "epochs-long": 2, "threads": 1}
        code = main(["--image", self.rendered(tmp_path / "world_000001"), "--output", str(out),
                     *(f"--{name}={value}" for name, value in flags.items())])  # fmt: skip
        text = capsys.readouterr().out
        assert code == 0 and (out / "table.md").read_text() == text
        lines = [line.split("|")[1:3] for line in text.splitlines() if line.startswith("|")][2:]
        assert [(name.strip(), epochs.strip()) for name, epochs in lines] == [
            ("constant, raw", "-"), ("mean map, raw", "-"),
            ("constant, normalised", "-"), ("mean map, normalised", "-"),
            ("raw", "1"), ("raw", "2"), ("raw, sigmoid", "1"), ("normalised", "1"), ("normalised", "2"),
            ("normalised + consistency", "1"), ("normalised + consistency", "2"),
        ]  # fmt: skip
        assert "teacher exact depth" in text and "1 epochs: normalised - raw = " in text
        result = json.loads((out / "result.json").read_text())
        assert result["config"]["size"] == 16 and result["config"]["label_scale"] == 1000.0
        assert set(result["losses"]) == {run.name for run in RUNS}
        assert all(math.isfinite(loss) for losses in result["losses"].values() for row in losses for loss in row)
        weights = torch.load(out / "student_normalised_consistency_2.pt", weights_only=True)
        StudentNet().load_state_dict(weights)
        sheet = cv2.imread(str(out / "contact_sheet.png"))
        assert sheet.shape == (18 + 2 * 16, (2 + len(RUNS)) * 16, 3)  # 2 held-out views

    def test_the_recipe_is_what_the_code_defaults_to(self) -> None:
        recipe = parse(["--config", str(ROOT / "config" / "train_student.yaml")])
        assert recipe == StudentConfig()
        assert (recipe.size, recipe.augmentations, recipe.validation_share) == (256, 300, 0.2)  # the paper's
        assert (recipe.learning_rate, recipe.epochs_short, recipe.epochs_long) == (1e-4, 7, 10)

    def test_flags_override_the_recipe(self, tmp_path: Path) -> None:
        recipe = tmp_path / "r.yaml"
        recipe.write_text("size: 64\nseed: 3\n")
        config = parse(["--config", str(recipe), "--size", "32"])
        assert (config.size, config.seed, config.batch) == (32, 3, StudentConfig().batch)

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"sizes": 64}, "unknown parameter 'sizes'; did you mean 'size'"),
            ({"size": 30}, "size 30"),
            ({"size": "big"}, "must be a int"),
            ({"epochs_short": 11}, "epochs_long 10"),
            ({"jitter": -1.0}, "outside"),
        ],
    )
    def test_a_wrong_recipe_is_refused(self, values: dict[str, object], message: str) -> None:
        with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
            load_config(None, values)

    def test_bad_inputs_are_named(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        out = ["--output", str(tmp_path / "out")]
        assert main(["--image", "nowhere.jpg", *out]) == 1 and "nowhere.jpg" in caplog.text
        picture = tmp_path / "picture.png"
        cv2.imwrite(str(picture), scene()[0])
        assert main(["--image", str(picture), "--teacher", "exact", *out]) == 1
        assert "no exact depth" in caplog.text
        with pytest.raises(ConfigError, match="frame 7"):
            distill(StudentConfig(image=self.rendered(tmp_path / "w")[:-1] + "7", output=str(tmp_path / "out")))
