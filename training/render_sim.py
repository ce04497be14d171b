"""Render training frames: many worlds, many unrelated views of each. README.md says what the files hold.

    MUJOCO_GL=egl python -m training.render_sim OUT --worlds 0:400 --frames 45 --size 288x384 --jobs 2

Complete worlds are skipped, so the command resumes; each world depends on its seed alone.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Views a light stays for, and traffic stands still
LIGHT_FRAMES = 5


@dataclass(frozen=True)
class RenderConfig:
    """What every world is rendered with."""

    out: Path
    frames: int = 45
    height: int = 288
    width: int = 384
    oversample: float = 1.5
    shadow_map: int = 1024
    kind: str | None = None
    balanced: bool = False


def render_world(config: RenderConfig, seed: int) -> float:
    """Render one world into its folder; returns frames a second, or 0 if it was there already."""
    folder = config.out / f"world_{seed:06d}"
    if folder.exists():
        return 0.0
    from depth_perception.sim.render import WorldRenderer
    from depth_perception.sim.world import KINDS, build_world

    start = time.perf_counter()
    part = folder.with_suffix(f".{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    world = build_world(seed, KINDS[seed % len(KINDS)] if config.balanced else config.kind)
    renderer = WorldRenderer(world, config.height, config.width, config.oversample, config.shadow_map)
    _render_frames(config, renderer, np.random.default_rng([seed, 3]), part)
    renderer.close()
    if folder.exists():
        shutil.rmtree(part)
    else:
        part.rename(folder)
    return config.frames / (time.perf_counter() - start)


def _render_frames(config: RenderConfig, renderer: object, rng: np.random.Generator, part: Path) -> None:
    from depth_perception.sim.depth_code import encode_depth
    from depth_perception.sim.render import WorldRenderer
    from depth_perception.sim.views import sample_view

    assert isinstance(renderer, WorldRenderer)
    n, h, w = config.frames, config.height, config.width
    images, depths = np.empty((n, h, w, 3), np.uint8), np.empty((n, h, w), np.uint16)
    K, T_world_camera, entries = np.empty((n, 3, 3)), np.empty((n, 4, 4)), []
    lighting = renderer.world.lighting(rng)
    for index in range(n):
        if index % LIGHT_FRAMES == 0:
            lighting = renderer.world.lighting(rng)
            renderer.shuffle_traffic(rng)
        view = sample_view(renderer, rng, h, w)
        images[index], depth = renderer.render(view.camera, view.T_world_camera, lighting)
        depths[index] = encode_depth(depth)
        K[index], T_world_camera[index] = view.camera.K, view.T_world_camera
        entries.append(
            {
                "hfov_deg": view.hfov_deg,
                "camera_height_m": view.camera_height_m,
                "pitch_deg": view.pitch_deg,
                "roll_deg": view.roll_deg,
            }
        )
    for name, array in (("images", images), ("depth", depths), ("K", K), ("T_world_camera", T_world_camera)):
        np.save(part / f"{name}.npy", array)
    world = renderer.world
    meta = {"format": 1, "seed": world.seed, "kind": world.kind, "height": h, "width": w, "frames": entries}
    (part / "meta.json").write_text(json.dumps(meta))


def _work(job: tuple[RenderConfig, int]) -> tuple[int, float]:
    return job[1], render_world(*job)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--worlds", default="0:400", help="seeds, first:last+1")
    parser.add_argument("--frames", type=int, default=RenderConfig.frames)
    parser.add_argument("--size", default="288x384", help="height x width")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--oversample", type=float, default=RenderConfig.oversample)
    parser.add_argument("--shadow-map", type=int, default=RenderConfig.shadow_map, help="0: no shadows")
    parser.add_argument("--kind", help="room, corridor, yard or street instead of what the seed chooses")
    parser.add_argument("--balanced", action="store_true", help="kinds in turn by seed, as the test worlds have them")
    options = parser.parse_args()
    height, width = (int(x) for x in options.size.split("x"))
    config = RenderConfig(
        options.out,
        options.frames,
        height,
        width,
        options.oversample,
        options.shadow_map,
        options.kind,
        options.balanced,
    )
    first, last = (int(x) for x in options.worlds.split(":"))
    # One software-rendering thread a process: processes scale better than threads within a picture
    os.environ.setdefault("LP_NUM_THREADS", "1")
    os.environ.setdefault("MUJOCO_GL", "egl")
    # A fresh process every 25 worlds gives back what the OpenGL driver keeps
    with multiprocessing.get_context("spawn").Pool(options.jobs, maxtasksperchild=25) as pool:
        for seed, rate in pool.imap_unordered(_work, [(config, seed) for seed in range(first, last)]):
            print(f"world {seed:6d}  {rate:5.1f} frames/s", flush=True)


if __name__ == "__main__":
    main()
