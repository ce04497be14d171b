"""A dataset folder for people: its numbers, its samples as pictures, one page that holds both."""
