"""Thin rclpy adapters. Nothing here that could be tested without ROS."""
