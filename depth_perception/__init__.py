"""Metric depth for any ROS 2 robot that has a camera.

Importing the package is cheap: no rclpy, torch, onnxruntime or OpenCV is loaded until something that needs it is used.
"""

__version__ = "0.1.0"
