"""Sheets → one HTML page that holds its pictures: no server, no link, no script."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

STYLE = """
body { font: 15px/1.5 sans-serif; color: #222; margin: 1.5em auto; max-width: 1900px; padding: 0 1em }
img { width: 100%; border: 1px solid #ddd }
table { border-collapse: collapse } td, th { padding: 2px 14px 2px 0; text-align: left; vertical-align: top }
th { border-bottom: 1px solid #999 } h2 { margin: 1.6em 0 .3em; font-size: 1.1em }
"""


@dataclass(frozen=True)
class Sheet:
    """A drawn frame."""

    png: Path
    title: str
    text: str  # the frame's quality
    warnings: tuple[str, ...]


def write_page(path: Path, title: str, notes: Sequence[str], sheets: Sequence[Sheet]) -> None:
    """Write the page; pictures go into it as data."""
    with path.open("w", encoding="utf-8") as file:
        file.write(
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
            f"<style>{STYLE}</style></head><body>\n<h1>{html.escape(title)}</h1>\n"
        )
        file.writelines(f"<p>{html.escape(note)}</p>\n" for note in notes)
        file.write("<table><tr><th>frame</th><th>quality</th><th>warnings</th></tr>\n")
        for number, sheet in enumerate(sheets):
            warnings = "<br>".join(html.escape(warning) for warning in sheet.warnings)
            file.write(
                f'<tr><td><a href="#f{number}">{html.escape(sheet.title)}</a></td>'
                f"<td>{html.escape(sheet.text)}</td><td>{warnings}</td></tr>\n"
            )
        file.write("</table>\n")
        for number, sheet in enumerate(sheets):
            data = base64.b64encode(sheet.png.read_bytes()).decode()
            file.write(
                f'<h2 id="f{number}">{html.escape(sheet.title)}</h2>\n'
                f'<img alt="{html.escape(sheet.text)}" src="data:image/png;base64,{data}">\n'
            )
        file.write("</body></html>\n")
