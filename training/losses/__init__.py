"""Losses: pure functions that divide by the count of valid."""
