"""What a real camera, its lens and the weather do to a clean render, drawn at random; geometry stays."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]  # (H, W, 3), 0 to 1 unless a comment says otherwise
Rng = np.random.Generator


def degrade(
    image: NDArray[np.uint8], depth: NDArray[np.float32], other: NDArray[np.uint8], rng: Rng
) -> NDArray[np.uint8]:
    """A random photograph of the same scene: style, weather, light, lens, dirt, sensor, in the order of nature.

    Args:
        image: (H, W, 3) uint8 RGB, clean.
        depth: (H, W) metres, +Inf sky; haze needs it.
        other: (H, W, 3) uint8 of another scene, whose spectrum may be borrowed.
    """
    steps: list[tuple[float, Callable[[Float], Float]]] = [
        (0.08, lambda x: borrow_amplitude(x, other.astype(np.float32) / 255.0, rng)),
        (0.12, lambda x: random_convolution(x, rng)),
        (0.15, lambda x: tone_curves(x, rng)),
        (0.15, lambda x: haze(x, depth, rng)),
        (0.20, lambda x: uneven_light(x, rng)),
        (0.90, lambda x: exposure(x, rng)),
        (0.70, lambda x: white_balance(x, rng)),
        (0.60, lambda x: saturation_and_contrast(x, rng)),
        (0.25, lambda x: vignette(x, rng)),
        (0.30, lambda x: blur(x, rng)),
        (0.15, lambda x: dirt(x, rng)),
        (0.12, grey),
        (0.70, lambda x: sensor_noise(x, rng)),
    ]
    x = image.astype(np.float32) * np.float32(1.0 / 255.0)
    for probability, step in steps:
        if rng.random() < probability:
            x = step(x)
    out = (np.clip(x, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    return jpeg(out, rng) if rng.random() < 0.4 else out


def borrow_amplitude(x: Float, other: Float, rng: Rng) -> Float:
    """Low spatial frequencies' strength from another image, phases stay (Yang & Soatto 2020, FDA)."""
    share, radius = np.float32(rng.uniform(0.2, 0.8)), int(rng.integers(1, 6))
    size = (x.shape[1] // 4, x.shape[0] // 4)  # low frequencies fit into a sixteenth of the pixels
    small, foreign_small = (cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in (x, other))
    changed = np.empty_like(small)
    for channel in range(3):
        spectrum, foreign = np.fft.rfft2(small[..., channel]), np.fft.rfft2(foreign_small[..., channel])
        for rows in (slice(0, radius), slice(-radius, None)):
            own = np.abs(spectrum[rows, :radius]) + 1e-6
            gain = 1.0 - share + share * np.abs(foreign[rows, :radius]) / own
            spectrum[rows, :radius] *= np.clip(gain, 0.2, 5.0)
        changed[..., channel] = np.fft.irfft2(spectrum, s=small.shape[:2])
    difference = cv2.resize(changed - small, (x.shape[1], x.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.clip(x + difference, 0.0, 1.0)


def random_convolution(x: Float, rng: Rng) -> Float:
    """Blend with a randomly filtered and colour-mixed copy (Xu et al. 2021, RandConv): other texture, same shape."""
    mixed = cv2.transform(x, rng.normal(0.0, 0.6, (3, 3)).astype(np.float32) + 0.4 * np.eye(3, dtype=np.float32))
    kernel = rng.normal(0.0, 0.25, (3, 3)).astype(np.float32)
    kernel[1, 1] += 1.0
    mixed = cv2.filter2D(mixed, -1, kernel)
    low, high = float(mixed.min()), float(mixed.max())
    mixed = (mixed - low) / max(high - low, 1e-3)
    share = np.float32(rng.uniform(0.1, 0.8))
    return (1.0 - share) * x + share * mixed


def tone_curves(x: Float, rng: Rng) -> Float:
    """A random smooth curve for each channel, rising."""
    codes = np.clip(x * 255.0, 0, 255).astype(np.uint8)
    out = np.empty_like(x)
    for channel in range(3):
        knots = np.cumsum(rng.uniform(0.3, 1.7, 6))
        curve = np.interp(np.linspace(0, 5, 256), np.arange(6), (knots - knots[0]) / (knots[-1] - knots[0]))
        out[..., channel] = curve.astype(np.float32)[codes[..., channel]]
    return out


def haze(x: Float, depth: NDArray[np.float32], rng: Rng) -> Float:
    """Light scattered on the way, exp(-depth / visibility) of the scene remains (Koschmieder's law)."""
    visibility = np.exp(rng.uniform(np.log(15.0), np.log(300.0)))
    kept = np.exp(-np.minimum(np.nan_to_num(depth, nan=200.0, posinf=200.0), 200.0) / np.float32(visibility))[..., None]
    air = np.float32(rng.uniform(0.5, 0.95)) + rng.normal(0.0, 0.03, 3).astype(np.float32)
    return (x * kept + air * (1.0 - kept)).astype(np.float32, copy=False)


def uneven_light(x: Float, rng: Rng) -> Float:
    """Brightness that varies smoothly over the image: lamps, windows, cast shade."""
    coarse = rng.normal(0.0, rng.uniform(0.1, 0.5), (4, 4)).astype(np.float32)
    field = cv2.resize(coarse, (x.shape[1], x.shape[0]), interpolation=cv2.INTER_CUBIC)
    return (x * np.exp(field)[..., None]).astype(np.float32, copy=False)


def exposure(x: Float, rng: Rng) -> Float:
    """Gain and gamma; what is too bright is cut off, as a sensor does."""
    gain, gamma = np.float32(np.exp(rng.normal(0.0, 0.3))), np.float32(np.exp(rng.normal(0.0, 0.25)))
    return np.power(np.clip(x * gain, 0.0, 1.0), gamma)


def white_balance(x: Float, rng: Rng) -> Float:
    """Colour temperature (red against blue) and tint (green)."""
    warm, tint = rng.normal(0.0, 0.12), rng.normal(0.0, 0.05)
    return x * np.exp(np.array([warm, tint, -warm], np.float32))


def saturation_and_contrast(x: Float, rng: Rng) -> Float:
    """Distance from grey and from the mean brightness, each times a random factor."""
    colour, contrast = np.float32(rng.uniform(0.2, 1.5)), np.float32(np.exp(rng.normal(0.0, 0.25)))
    luminance = cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)[..., None]
    x = luminance + colour * (x - luminance)
    mean = np.float32(luminance.mean())
    return mean + contrast * (x - mean)


def vignette(x: Float, rng: Rng) -> Float:
    """Darker towards the corners."""
    v = np.linspace(-1, 1, x.shape[0], dtype=np.float32)[:, None, None]
    u = np.linspace(-1, 1, x.shape[1], dtype=np.float32)[None, :, None]
    return x * (1.0 - np.float32(rng.uniform(0.1, 0.6)) * (u * u + v * v) / 2.0)


def blur(x: Float, rng: Rng) -> Float:
    """Out of focus, or moved during the exposure along a random direction."""
    if rng.random() < 0.6:
        return cv2.GaussianBlur(x, (0, 0), float(rng.uniform(0.4, 1.6)))  # type: ignore[return-value]
    size = int(rng.integers(1, 4)) * 2 + 1
    kernel = np.zeros((size, size), np.float32)
    angle, centre = rng.uniform(0, np.pi), size // 2
    end = (round(centre * np.cos(angle)), round(centre * np.sin(angle)))
    cv2.line(kernel, (centre - end[0], centre - end[1]), (centre + end[0], centre + end[1]), 1.0)  # type: ignore[call-overload]
    return cv2.filter2D(x, -1, kernel / kernel.sum())  # type: ignore[return-value]


def dirt(x: Float, rng: Rng) -> Float:
    """Soft dark or grey spots on the lens."""
    height, width = x.shape[:2]
    cover = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(1, 5))):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.circle(cover, centre, int(rng.uniform(0.02, 0.12) * height), 1.0, -1)  # type: ignore[call-overload]
    cover = cv2.GaussianBlur(cover, (0, 0), 3.0)[..., None] * np.float32(rng.uniform(0.4, 1.0))
    return x * (1.0 - cover) + np.float32(rng.uniform(0.0, 0.6)) * cover


def grey(x: Float) -> Float:
    """A monochrome camera."""
    return np.repeat(cv2.cvtColor(np.clip(x, 0.0, 1.0), cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


def sensor_noise(x: Float, rng: Rng) -> Float:
    """Shot noise grows with the root of the signal, read noise doesn't; half of the time in blocks (demosaicing)."""
    read, shot = np.float32(rng.uniform(0.0, 0.02)), np.float32(rng.uniform(0.0, 0.03))
    bank = _normal_numbers()
    start = int(rng.integers(bank.size - x.size))
    noise = bank[start : start + x.size].reshape(x.shape)
    if rng.random() < 0.5:
        noise = cv2.blur(noise, (2, 2)) * np.float32(1.6)
    return x + noise * (read + shot * np.sqrt(np.clip(x, 0.0, 1.0)))


def jpeg(image: NDArray[np.uint8], rng: Rng) -> NDArray[np.uint8]:
    """Compressed and decompressed; uint8 (H, W, 3)."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 95))])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)  # type: ignore[return-value]


@lru_cache(maxsize=1)
def _normal_numbers() -> Float:
    """Drawn once: drawing 150 000 normal numbers for each image would take longer than all the rest."""
    return np.random.default_rng(0).standard_normal(1 << 20, dtype=np.float32)
