"""What `depth-perception doctor` looks at. Every probe works with nothing installed but NumPy."""

from depth_perception.doctor.finding import Finding, Level

__all__ = ["Finding", "Level"]
