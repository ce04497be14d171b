"""Offline training tools, run from the checkout; torch lives here."""
