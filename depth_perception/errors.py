"""One family of errors: everything this package raises on purpose derives from `DepthPerceptionError`.

Each message carries the value that was wrong (`!r`) and what to do about it. Built-in errors stay themselves.
"""


class DepthPerceptionError(Exception):
    """Base of every error that a user can act on."""


class MessageError(DepthPerceptionError):
    """A ROS message can't be used: unknown encoding, too little data, no size, missing field."""


class CalibrationError(DepthPerceptionError):
    """A camera is uncalibrated, of another size than its image, or of an unknown distortion model."""


class MeasurementError(DepthPerceptionError):
    """What a sensor measured can't give an image its scale: too old, no points, or nobody knows where it sits."""


class ModelError(DepthPerceptionError):
    """A model file is missing, isn't ONNX, or doesn't keep the model contract."""


class EngineError(DepthPerceptionError):
    """A backend isn't installed, can't load the model, or failed while it ran."""


class BagError(DepthPerceptionError):
    """A recording is missing, damaged or empty, lacks a topic, or would be overwritten."""


class ConfigError(DepthPerceptionError):
    """A parameter is unknown, of the wrong type or out of its range."""


class SimulatorError(DepthPerceptionError):
    """The simulator can't be built or can't render on this machine."""
