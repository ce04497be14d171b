"""The YAML that ships in config/, written from the configuration dataclasses so that it can't drift from them.

`python -m depth_perception.parameter_file` prints config/depth.yaml.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable

from depth_perception.config import DepthConfig, Option, options

WIDTH = 110
DEPTH_TITLE = "Parameters of the depth node, at their defaults. Edit a copy and pass it with params_file:=COPY."


def render(options_of_node: Iterable[Option], title: str) -> str:
    """A ROS parameter file, keyed `/**:` so that any name and namespace match, with every option at its default.

    Groups are nested; each option is preceded by its description, its range or choices, and 'fixed while configured'
    if it can't change on a configured node.
    """
    lines = [f"# {title}", "/**:", "  ros__parameters:"]
    open_groups: list[str] = []
    for item in options_of_node:
        *groups, name = item.name.split(".")
        shared = 0
        while shared < min(len(groups), len(open_groups)) and groups[shared] == open_groups[shared]:
            shared += 1
        lines += ["  " * (level + 2) + f"{groups[level]}:" for level in range(shared, len(groups))]
        open_groups = groups
        indent = "  " * (len(groups) + 2)
        lines += textwrap.wrap(_comment(item), WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
        lines.append(f"{indent}{name}: {json.dumps(item.default)}")
    return "\n".join(lines) + "\n"


def _comment(item: Option) -> str:
    parts = [item.description]
    if item.choices:
        parts.append(f"one of {', '.join(item.choices)}")
    if item.low is not None and item.high is not None:
        parts.append(f"from {item.low:g} to {item.high:g}")
    if not item.live:
        parts.append("fixed while the node is configured")
    return "; ".join(parts)


if __name__ == "__main__":
    print(render(options(DepthConfig), DEPTH_TITLE), end="")
