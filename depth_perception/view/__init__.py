"""What the pipeline makes of a frame as a picture for people: PNG sheets, and one HTML page that holds them.

Drawn by matplotlib, the extra `[view]`. Rerun was the other candidate: its wheel alone has 170 MB (matplotlib and all
that it needs: 80 MB installed), the newest needs Python 3.11, and its recordings open in its own viewer only. A PNG or
a page without any link can be copied off a robot without a screen and opened anywhere.
"""
