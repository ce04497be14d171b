"""Scores of a model's depth, and of trajectories, by the protocols that the field publishes."""
