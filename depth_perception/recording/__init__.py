"""The recorder without ROS: what is kept, where it goes, and how a torn file becomes whole again.

`nodes/recorder.py` feeds serialised messages to a `Recorder`; nothing here decodes one, but for the few whose frames
or numbers are needed.
"""
