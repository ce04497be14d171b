"""ROS parameters declared from a configuration dataclass, checked by the same rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from depth_perception.config import Option, check, from_flat, options
from depth_perception.errors import ConfigError

# Parameters that rclpy itself declares or reads; they are not ours to refuse.
FOREIGN = ("use_sim_time", "start_type_description_service", "qos_overrides.", "diagnostic_updater.")


def descriptor(item: Option) -> ParameterDescriptor:
    """Description, range and choices as `ros2 param describe` shows them."""
    out = ParameterDescriptor(name=item.name, description=item.description)
    if item.choices:
        out.additional_constraints = f"one of {', '.join(item.choices)}"
    if item.low is not None and item.high is not None:
        if isinstance(item.default, float):
            out.floating_point_range = [FloatingPointRange(from_value=float(item.low), to_value=float(item.high))]
        else:
            out.integer_range = [IntegerRange(from_value=int(item.low), to_value=int(item.high), step=1)]
    return out


class Parameters:
    """Declares every option of `cls` on a node and keeps `config` equal to them."""

    def __init__(self, node: Node, cls: type, is_configured: Callable[[], bool]) -> None:
        """`is_configured` says whether options that need a new configuration are fixed now.

        Raises:
            ConfigError: an override that isn't known or can't be taken.
        """
        self._node, self._cls, self._is_configured = node, cls, is_configured
        self._options = {item.name: item for item in options(cls)}
        self.refuse_unknown(getattr(node, "_parameter_overrides", {}))
        values = {}
        for item in self._options.values():
            values[item.name] = self._declare(item)
        self.config: Any = from_flat(values, cls)
        node.add_on_set_parameters_callback(self._on_set)

    def refuse_unknown(self, names: Sequence[str] | dict[str, Any]) -> None:
        from_flat({name: self._options[name].default if name in self._options else None
                   for name in names if not name.startswith(FOREIGN)}, self._cls)  # fmt: skip

    def _declare(self, item: Option) -> Any:
        try:
            value: Any = self._node.declare_parameter(item.name, item.default, descriptor(item)).value
        except Exception as error:  # rclpy has an exception class for each way a type or range can be wrong
            raise ConfigError(f"parameter {item.name!r} can't be taken: {error}") from error
        return check(item, value)

    def _on_set(self, changes: list[Parameter]) -> SetParametersResult:
        values = {name: self._node.get_parameter(name).value for name in self._options}
        try:
            for change in changes:
                if change.name in self._options:
                    values[change.name] = self._take(change)
            self.config = from_flat(values, self._cls)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _take(self, change: Parameter) -> Any:
        item = self._options[change.name]
        if not item.live and self._is_configured():
            raise ConfigError(
                f"{change.name!r} can't change while the node is configured: deactivate and clean it up first "
                "(ros2 lifecycle set <node> deactivate; ros2 lifecycle set <node> cleanup)"
            )
        return check(item, change.value)
