"""Colours as they occur on things: mostly dull, sometimes loud."""

from __future__ import annotations

import colorsys

import numpy as np

_HUES = {"earth": (0.04, 0.13), "green": (0.19, 0.36), "blue": (0.52, 0.68), "red": (-0.04, 0.04), "any": (0.0, 1.0)}


def base_colour(rng: np.random.Generator, mood: str | None = None) -> np.ndarray:
    """One RGB colour, float32 (3,) in [0, 1]. `mood`: grey, earth, green, blue, red, white, dark, loud."""
    if mood is None:
        moods = ["grey", "earth", "green", "blue", "red", "white", "dark", "loud"]
        mood = str(rng.choice(moods, p=[0.25, 0.24, 0.07, 0.08, 0.06, 0.14, 0.08, 0.08]))
    hue = rng.uniform(*_HUES.get(mood, _HUES["any"])) % 1.0
    if mood == "loud":
        saturation, value = rng.uniform(0.5, 0.95), rng.uniform(0.35, 0.95)
    elif mood in ("grey", "white", "dark"):
        low, high = {"grey": (0.2, 0.75), "white": (0.75, 0.98), "dark": (0.04, 0.2)}[mood]
        saturation, value = rng.uniform(0.0, 0.12), rng.uniform(low, high)
    else:
        saturation, value = rng.uniform(0.12, 0.65), rng.uniform(0.18, 0.8)
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value), dtype=np.float32)


def palette(rng: np.random.Generator, base: np.ndarray, spread: float, count: int = 5) -> np.ndarray:
    """`count` colours around a base, float32 (count, 3), from dark to light with hue drifting a little."""
    light = np.linspace(-1.0, 1.0, count, dtype=np.float32)[:, None] * spread
    drift = rng.normal(0.0, 0.12 * spread, (count, 3)).astype(np.float32)
    return np.clip(base[None] * (1.0 + light) + drift * (0.3 + base[None]), 0.0, 1.0)


def paint(field: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Field (H, W), about unit variance, mapped through colours (N, 3): float32 (H, W, 3) in [0, 1]."""
    position = np.clip((field + 2.2) / 4.4, 0.0, 1.0) * (len(colours) - 1)
    table = np.linspace(0, len(colours) - 1, 256)
    lut = np.stack([np.interp(table, np.arange(len(colours)), colours[:, c]) for c in range(3)], axis=1)
    index = (position * (255.0 / (len(colours) - 1))).astype(np.uint8)
    return lut.astype(np.float32)[index]


def light_colour(rng: np.random.Generator, kelvin: float) -> np.ndarray:
    """RGB gain, float32 (3,), mean 1, of a light of that colour temperature with a small random tint."""
    warmth = np.log(kelvin / 6000.0)
    gain = np.array([1.0 - 0.35 * warmth, 1.0, 1.0 + 0.5 * warmth], dtype=np.float32)
    gain *= rng.normal(1.0, 0.02, 3).astype(np.float32)
    return np.clip(gain, 0.3, 1.8) / float(np.clip(gain, 0.3, 1.8).mean())
