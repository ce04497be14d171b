"""Recordings, KITTI folders and the simulator → the dataset folder. `training.make_dataset` is the command."""
