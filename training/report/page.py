"""The report of a dataset folder as one HTML page that holds its pictures: no server, no link, no script."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.dataset_folder import CAMERAS, SPLITS, SequenceCalibration
from training.report.bars import bars, histogram
from training.report.numbers import SequenceNumbers, Spread

JPEG_QUALITY = 85
STYLE = """
body { font: 15px/1.45 sans-serif; color: #222; margin: 1.5em auto; max-width: 1900px; padding: 0 1em }
img { max-width: 100%; border: 1px solid #ddd } h2 { margin: 2em 0 .3em; border-top: 2px solid #999; padding-top: .6em }
table { border-collapse: collapse; margin: .4em 2em .8em 0 } .row { display: flex; flex-wrap: wrap; align-items: start }
td, th { padding: 2px 14px 2px 0; text-align: left; vertical-align: top; border-bottom: 1px solid #eee }
figure { margin: .3em 1.5em .8em 0 } figcaption { font-weight: bold } .bad { color: #b00020; font-weight: bold }
"""


def page(
    title: str,
    manifest: dict[str, Any],
    parts: Sequence[tuple[SequenceNumbers, SequenceCalibration, NDArray[np.uint8] | None]],
) -> str:
    """The page.

    Args:
        manifest: content of the dataset's manifest.json; {} without one.
        parts: of each sequence its numbers, its calibration and its sheet (RGB), None where there is no sample.
    """
    numbers = [one for one, _, _ in parts]
    body = [f"<h1>{html.escape(title)}</h1>", _overview(numbers)]
    for name, reason in manifest.get("failed", {}).items():
        body.append(f'<p class="bad">{html.escape(name)} failed: {html.escape(str(reason))}</p>')
    for one, calibration, sheet in parts:
        body.append(_section(one, calibration))
        if sheet is not None:
            body.append(f'<img alt="samples of {html.escape(one.name)}" src="{embedded(sheet)}">')
    return document(title, body)


def document(title: str, body: Sequence[str]) -> str:
    """A whole page; `body` is HTML already."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _overview(numbers: Sequence[SequenceNumbers]) -> str:
    head = ["sequence", "samples", *SPLITS, "S", "U", "with depth", "stereo", "poses", "teacher", "frames rejected"]
    rows = [_overview_row(f'<a href="#{html.escape(one.name)}">{html.escape(one.name)}</a>', [one]) for one in numbers]
    if len(numbers) > 1:
        rows.append(_overview_row("all", numbers))
    return table(head, rows)


def _overview_row(name: str, numbers: Sequence[SequenceNumbers]) -> list[str]:
    samples, supervised = sum(len(one.samples) for one in numbers), sum(one.supervised for one in numbers)
    cells = [
        samples,
        *(sum(one.split[split] for one in numbers) for split in SPLITS),
        supervised,
        samples - supervised,
        sum(one.with_depth["left"] for one in numbers),
        sum(one.right for one in numbers),
        sum(one.with_pose for one in numbers),
        sum(one.labelled["left"] for one in numbers),
        sum(sum(one.rejected.values()) for one in numbers),
    ]
    return [name, *(str(cell) for cell in cells)]


def _section(numbers: SequenceNumbers, calibration: SequenceCalibration) -> str:
    summary = numbers.summary
    parts = [f'<h2 id="{html.escape(numbers.name)}">{html.escape(numbers.name)}</h2>']
    parts += [f'<p class="bad">{html.escape(str(text))}</p>' for text in summary.get("problems", ())]
    parts += [f"<p>{html.escape(str(text))}</p>" for text in summary.get("notes", ())]
    parts.append('<div class="row">')
    parts += [_facts(numbers), _cameras(calibration), _sync(numbers), _reasons(numbers)]
    parts.append('</div><div class="row">')
    parts += _charts(numbers)
    parts.append("</div>")
    return "\n".join(parts)


def _facts(numbers: SequenceNumbers) -> str:
    summary, total = numbers.summary, len(numbers.samples)
    rows = [
        ["frames", str(summary.get("frames", ""))],
        ["duration", f"{summary.get('duration_s', 0):.1f} s"],
        ["samples", f"{total} ({', '.join(f'{numbers.split[split]} {split}' for split in SPLITS)})"],
        ["marked S", str(numbers.supervised)],
        ["both neighbours", str(numbers.whole_context)],
    ]
    for camera in CAMERAS:
        if (points := numbers.points.get(camera)) is not None:
            share = summary.get("depth", {}).get(camera, {}).get("share", {}).get("mean")
            covered = "" if share is None else f", {share:.2%} of the picture"
            rows.append(
                [f"depth, {camera}", f"samples: {numbers.with_depth[camera]}, pixels of each: {points.mean:.0f} "
                 f"({points.low:.0f} to {points.high:.0f}){covered}"]
            )  # fmt: skip
        if numbers.labelled[camera]:
            rows.append([f"teacher, {camera}", f"{numbers.labelled[camera]} of {total} samples"])
    if numbers.beams:
        rows.append(["beams kept", ", ".join(map(str, numbers.beams))])
    for name, spread in (("moved, m", numbers.motion_m), ("turned, rad", numbers.motion_rad)):
        rows.append([name, "no odometry" if spread is None else _said(spread)])
    if error := summary.get("error_to_truth"):
        rows.append(["depth against truth", ", ".join(f"{name} {one['mean']:.4g}" for name, one in error.items())])
    return table(["", ""], [[html.escape(cell) for cell in row] for row in rows])


def _cameras(calibration: SequenceCalibration) -> str:
    rows = []
    for name, camera in calibration.cameras.items():
        baseline = "" if calibration.T_left_right is None else f"{np.linalg.norm(calibration.T_left_right[:3, 3]):.4f}"
        frame = html.escape(calibration.frame_ids.get(name, ""))
        numbers = [f"{value:.2f}" for value in (camera.fx, camera.fy, camera.cx, camera.cy)]
        rows.append([name, frame, f"{camera.width} x {camera.height}", *numbers, baseline])
    return table(["camera", "frame", "size", "fx", "fy", "cx", "cy", "baseline, m"], rows)


def _sync(numbers: SequenceNumbers) -> str:
    rows = [
        [html.escape(sensor), str(one.count), f"{one.mean:+.2f}", f"{one.low:+.2f}", f"{one.high:+.2f}"]
        for sensor, one in numbers.sync_ms.items()
    ]
    rows += [
        [html.escape(sensor), str(entry["count"]), f"none: {html.escape(str(entry['example']))}", "", ""]
        for sensor, entry in numbers.summary.get("missing", {}).items()
    ]
    return table(["sensor minus image", "samples", "mean, ms", "from", "to"], rows) if rows else ""


def _reasons(numbers: SequenceNumbers) -> str:
    if not numbers.rejected:
        return "<p>no frame rejected</p>"
    rows = [
        [html.escape(reason), str(count), html.escape(numbers.examples[reason])]
        for reason, count in numbers.rejected.items()
    ]
    return table(["rejected because", "frames", "the first of them"], rows)


def _charts(numbers: SequenceNumbers) -> Iterable[str]:
    summary = numbers.summary
    for camera, depth in summary.get("depth", {}).items():
        edges, counts = depth["edges_m"], np.asarray(depth["counts"], float)
        labels = [f"{edge:g}" for edge in edges[:-1]]
        yield bars(f"depth, {camera}", labels, (100 * counts / max(counts.sum(), 1)).tolist(), "% of pixels by m, from")
    if beams := summary.get("points_of_beam"):
        frames = max(summary.get("depth", {}).get("left", {}).get("share", {}).get("count", 1), 1)
        yield bars(
            "points of each beam that the left camera sees", list(beams),
            [count / frames for count in beams.values()], "a frame; 0 is the top beam",
        )  # fmt: skip
    if numbers.motion_m is not None:
        yield histogram("moved", numbers.motion_m.values, "m")
    if numbers.motion_rad is not None:
        yield histogram("turned", numbers.motion_rad.values, "rad")
    for sensor, spread in numbers.sync_ms.items():
        yield histogram(f"{sensor} minus image", spread.values, "ms")


def _said(spread: Spread) -> str:
    return f"mean {spread.mean:.3g}, {spread.low:.3g} to {spread.high:.3g} ({spread.count} samples)"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML already."""
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f"<table><tr>{top}</tr>\n{body}</table>"


def embedded(picture: NDArray[np.uint8]) -> str:
    """(H, W, 3) RGB as the source of an <img>."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
