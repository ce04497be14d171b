"""Sparse metric depth seen in the image: one file for each way to measure it."""
