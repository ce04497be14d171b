"""Light for a world: sun and sky outdoors, lamps and windows indoors, haze, and a camera's exposure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from depth_perception.sim.colours import light_colour

MAX_LAMPS = 4


@dataclass(frozen=True)
class Light:
    """One light: `position` (3,) metres for a lamp, None for the sun; `direction` (3,) it shines along; RGB (3,)."""

    direction: np.ndarray
    colour: np.ndarray
    position: np.ndarray | None = None
    reach_m: float = 6.0
    shadow: bool = False


@dataclass(frozen=True)
class Lighting:
    """All light of a picture. `haze_m`: distance at which haze hides 63 %; `exposure`: wanted mean brightness, of the
    whole picture where the camera meters the sky too (dark foregrounds)."""

    ambient: np.ndarray
    lights: tuple[Light, ...]
    haze_m: float
    haze_colour: np.ndarray
    exposure: float
    contrast: float = 1.0
    meter_sky: bool = False


def outdoor_light(rng: np.random.Generator, horizon: np.ndarray) -> Lighting:
    """Sunny with hard shadows, or overcast."""
    overcast = rng.random() < 0.4
    elevation, azimuth = np.deg2rad(rng.uniform(12, 75)), rng.uniform(0, 2 * np.pi)
    direction = -np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    warm = light_colour(rng, rng.uniform(3800, 6500))
    strength = rng.uniform(0.1, 0.3) if overcast else rng.uniform(0.4, 0.8)
    ambient = light_colour(rng, rng.uniform(6000, 9000)) * (
        rng.uniform(0.5, 0.75) if overcast else rng.uniform(0.3, 0.55)
    )
    # Light scattered by the ground and the sky from the other side keeps shaded walls from being flat
    fill = Light(np.array([-direction[0], -direction[1], 0.3 * direction[2]]), warm * rng.uniform(0.05, 0.2))
    sun = Light(direction, warm * strength, shadow=not overcast and rng.random() < 0.75)
    haze = float(np.exp(rng.uniform(np.log(80.0), np.log(3000.0))))
    exposure, contrast, meter_sky = rng.uniform(0.3, 0.52), rng.uniform(0.85, 1.45), rng.random() < 0.35
    return Lighting(ambient, (sun, fill), haze, horizon, float(exposure), float(contrast), bool(meter_sky))


def indoor_light(rng: np.random.Generator, lamps: np.ndarray) -> Lighting:
    """Lamps (N, 3) under the ceiling, some on, plus light from a side as through windows."""
    kelvin, shade = rng.uniform(2700, 6500), rng.random() < 0.5
    lit = lamps[rng.permutation(len(lamps))[: rng.integers(1, MAX_LAMPS)]] if len(lamps) else lamps.reshape(0, 3)
    lights = [
        Light(
            np.array([0.0, 0.0, -1.0]),
            light_colour(rng, kelvin) * rng.uniform(0.4, 0.9),
            at,
            float(rng.uniform(2.5, 9.0)),
            shadow=index == 0 and shade,
        )
        for index, at in enumerate(lit)
    ]
    azimuth = rng.uniform(0, 2 * np.pi)
    for turn, strength in ((0.0, rng.uniform(0.1, 0.5)), (2.4, rng.uniform(0.0, 0.25))):
        direction = np.array([np.cos(azimuth + turn), np.sin(azimuth + turn), rng.uniform(-0.9, 0.1)])
        lights.append(Light(direction, light_colour(rng, rng.uniform(4500, 8000)) * strength))
    ambient = light_colour(rng, 0.5 * (kelvin + 6000)) * rng.uniform(0.25, 0.65)
    return Lighting(
        ambient,
        tuple(lights[: MAX_LAMPS + 1]),
        1e6,
        np.ones(3, np.float32),
        float(rng.uniform(0.3, 0.55)),
        float(rng.uniform(0.9, 1.35)),
    )


def develop(image: np.ndarray, depth: np.ndarray, lighting: Lighting) -> np.ndarray:
    """Haze by depth (H, W) metres, then exposure: uint8 (H, W, 3) from a raw render uint8 (H, W, 3)."""
    picture = image.astype(np.float32) * (1.0 / 255.0)
    if lighting.haze_m < 1e5:
        finite = np.isfinite(depth)
        share = 1.0 - np.exp(np.where(finite, depth, 0.0) * np.float32(-1.0 / lighting.haze_m))[..., None]
        picture += (lighting.haze_colour - picture) * share
    near = np.isfinite(depth)
    # Every third pixel is enough to meter; skies don't count, and what is bright already keeps its structure
    metered = (
        picture[::3, ::3][near[::3, ::3]]
        if near.mean() > 0.2 and not lighting.meter_sky
        else picture[::3, ::3].reshape(-1, 3)
    )
    bright = float(np.quantile(metered.mean(1), 0.93))
    gain = min(lighting.exposure / max(float(metered.mean()), 1e-3), 1.15 / max(bright, 1e-3))
    gain = float(np.clip(gain, 0.55, 2.4))
    return _tone(gain, lighting.contrast)[np.clip(picture * 1023.0, 0.0, 1023.0).astype(np.uint16)]


def _tone(gain: float, contrast: float) -> np.ndarray:
    """The camera's curve as a table uint8 (1024,): gain, a shoulder instead of a hard clip, contrast about 0.4."""
    x = np.linspace(0.0, 1.0, 1024) * gain
    x = np.where(x > 0.75, 0.75 + 0.25 * np.tanh((x - 0.75) * 2.5), x)
    return (np.clip(0.4 * (x / 0.4) ** contrast, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
