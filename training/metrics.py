"""The metrics of `depth_perception.metrics`, under the name that training code uses."""

from depth_perception.metrics import DepthMetrics, comparable, depth_metrics, mean_metrics, median_scale

__all__ = ["DepthMetrics", "comparable", "depth_metrics", "mean_metrics", "median_scale"]
