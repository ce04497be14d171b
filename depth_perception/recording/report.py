"""What the recorder says of itself in diagnostics."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from depth_perception.health import Level, Status
from depth_perception.recording.recorder import Recorder


def report(recorder: Recorder, notes: Mapping[str, str], missing: Sequence[str]) -> list[Status]:
    """`notes`: topic → what is wrong with it, or ""; `missing`: topics asked for that nobody publishes."""
    statuses = [_recording(recorder), _topics(recorder, notes, missing)]
    if recorder.config.snapshot.enabled:
        statuses.append(_snapshot(recorder))
    return statuses


def _recording(recorder: Recorder) -> Status:
    values = recorder.state()
    dropped = recorder.dropped.total()
    lost = sum(topic.lost for topic in recorder.statistics.topics.values())
    values |= {"dropped": str(dropped), "lost": str(lost)}
    if recorder.problem:
        return Status("recording", Level.ERROR, recorder.problem, values)
    if not recorder.recording:
        return Status("recording", Level.OK, "not recording: call ~/start", values)
    if "file" not in values:
        return Status("recording", Level.WARN, "no message came yet: are the topics remapped right?", values)
    said = f"recording to {values['file']}: {values['written']}"
    wrong = [f"{dropped} messages dropped: the disk is too slow"] if dropped else []
    wrong += [f"{lost} messages never came: too little CPU time, or the network"] if lost else []
    if wrong:
        return Status("recording", Level.WARN, "; ".join([said, *wrong]), values)
    return Status("recording", Level.OK, said, values)


def _topics(recorder: Recorder, notes: Mapping[str, str], missing: Sequence[str]) -> Status:
    values = recorder.statistics.lines(time.time_ns(), recorder.dropped)
    if missing:
        values["nobody publishes"] = ", ".join(missing)
    wrong = [f"{name}: {note}" for name, note in sorted(notes.items()) if note]
    if wrong:
        return Status("topics", Level.WARN, "; ".join(wrong), values)
    return Status("topics", Level.OK, f"{len(recorder.statistics.topics)} topics", values)


def _snapshot(recorder: Recorder) -> Status:
    said = recorder.said
    values = {key: text for key, text in said.items() if text}
    if said.get("problem"):
        return Status("snapshot", Level.ERROR, said["problem"], values)
    state = recorder.state()
    kept = f"in memory: {state.get('in memory', 'nothing yet')}, of {recorder.config.snapshot.seconds:g} s wanted"
    if state.get("memory is full") == "true":
        return Status("snapshot", Level.WARN, f"{kept}: snapshot.max_mb allows no more", values)
    return Status("snapshot", Level.OK, kept, values)
