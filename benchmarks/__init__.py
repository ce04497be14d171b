"""Speed and accuracy tables, each one command."""
