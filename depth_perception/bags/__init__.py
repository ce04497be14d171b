"""Read and write recordings: rosbag2 (MCAP, sqlite3), bare storage files and ROS 1 bags in; rosbag2 MCAP out.

A recording whose end is missing (the recorder was killed) is read up to its last whole chunk. Neither reader nor writer
ever holds more than a few messages in memory.
"""

from depth_perception.bags.reader import Bag, BagMessage, Topic, open_bag
from depth_perception.bags.source import Channel, RawMessage
from depth_perception.bags.transforms import StaticTransform, tf_static_message
from depth_perception.bags.writer import BagWriter

__all__ = [
    "Bag", "BagMessage", "BagWriter", "Channel", "RawMessage", "StaticTransform", "Topic", "open_bag",
    "tf_static_message",
]  # fmt: skip
