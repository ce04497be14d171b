"""How the robot moves: goals in free space, a way between them that keeps clear of things, and a unicycle that follows.

Velocities are what moves the robot, so odometry agrees with the path by construction.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import cv2
import numpy as np

from depth_perception.errors import SimulatorError
from depth_perception.sim.freespace import FreeSpace
from depth_perception.sim.mesh import place
from depth_perception.sim.world import World

STEP_S = 0.02
ROBOT_RADIUS_M = 0.25
_LOOK_AHEAD_M = 0.45
_TURN_RPS = 1.0


@dataclass(frozen=True)
class Drive:
    """Poses (N, 3) of x, y, yaw and speeds (N, 2) of forward m/s and turning rad/s, every `STEP_S` from 0."""

    poses: np.ndarray
    speeds: np.ndarray

    def T_world_body(self, t: float) -> np.ndarray:
        """(4, 4) at t seconds, between the steps by the motion of the step."""
        index = min(int(t / STEP_S + 1e-9), len(self.poses) - 1)
        x, y, yaw = self.poses[index]
        v, w = self.speeds[index]
        rest = t - index * STEP_S
        middle = yaw + 0.5 * w * rest
        return place(x + v * rest * np.cos(middle), y + v * rest * np.sin(middle), 0.0, yaw + w * rest)

    def twist(self, t: float) -> tuple[float, float]:
        """Forward m/s and turning rad/s at t seconds."""
        v, w = self.speeds[min(int(t / STEP_S + 1e-9), len(self.speeds) - 1)]
        return float(v), float(w)


def plan_drive(world: World, rng: np.random.Generator, duration_s: float, speed_mps: float) -> Drive:
    """A drive of that length: along the road in a street, between random goals elsewhere."""
    steps = int(np.ceil(duration_s / STEP_S)) + 2
    if world.layout.road is not None:
        way = _longest_free(world.free, world.layout.road, rng, speed_mps * duration_s)
        if way is not None:
            return _follow([way], steps, speed_mps)
    coarse = _Grid(world.free)
    at = coarse.random_cell(rng)
    ways: list[np.ndarray] = []
    # Long enough for the whole drive; what is too much stays undriven
    while sum(_length(way) for way in ways) < speed_mps * duration_s + 2.0:
        goal = coarse.random_cell(rng)
        way = coarse.way(at, goal)
        if len(way) > 4:
            ways.append(way)
            at = goal
        if len(ways) > 500:
            raise SimulatorError("no free way of any length in this world; try another seed")
    return _follow(ways, steps, speed_mps)


def _length(way: np.ndarray) -> float:
    return float(np.hypot(*np.diff(way, axis=0).T).sum())


def _longest_free(free: FreeSpace, line: np.ndarray, rng: np.random.Generator, wanted_m: float) -> np.ndarray | None:
    """The longest clear stretch of a lane right of the centre line; None if all are short."""
    along = np.gradient(line, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.linalg.norm(along, axis=1, keepdims=True)
    best: np.ndarray | None = None
    for offset in rng.permutation([-2.4, -1.8, -1.2, 0.0]):
        lane = line + offset * normal
        clear = np.array([free.at(x, y) > ROBOT_RADIUS_M + 0.25 for x, y in lane])
        ends = np.flatnonzero(np.diff(np.concatenate([[0], clear.astype(int), [0]])))
        for start, stop in zip(ends[::2], ends[1::2], strict=True):
            if best is None or stop - start > len(best):
                best = lane[start:stop]
    if best is None or _length(best) < min(wanted_m, 40.0) + 2.0:
        return None
    return best


class _Grid:
    """The free space in cells twice as large, for planning."""

    def __init__(self, free: FreeSpace) -> None:
        self.free = free
        self.cell = 2.0 * free.cell_m
        scale = free.cell_m / self.cell
        shape = (max(1, round(free.clearance.shape[1] * scale)), max(1, round(free.clearance.shape[0] * scale)))
        self.clearance = cv2.resize(free.clearance, shape, interpolation=cv2.INTER_AREA)
        for needed in (0.55, 0.45, 0.38):
            passable = (self.clearance > needed).astype(np.uint8)
            _, regions = cv2.connectedComponents(passable)
            sizes = np.bincount(regions.ravel())
            sizes[0] = 0
            self.passable = regions == int(sizes.argmax())
            if sizes.max() > 0.3 * float((self.clearance > 0.3).sum()):
                break
        if sizes.max() < 40:
            raise SimulatorError("this world has no room to drive in; try another seed")

    def random_cell(self, rng: np.random.Generator) -> tuple[int, int]:
        rows, columns = np.nonzero(self.passable)
        pick = rng.integers(len(rows))
        return int(rows[pick]), int(columns[pick])

    def way(self, start: tuple[int, int], goal: tuple[int, int]) -> np.ndarray:
        """Points (M, 2) metres of a way that likes the middle of free space, smoothed."""
        cells = self._search(start, goal)
        points = np.array(
            [(self.free.x0 + (c + 0.5) * self.cell, self.free.y0 + (r + 0.5) * self.cell) for r, c in cells]
        )
        for _ in range(8):
            if len(points) > 2:
                points[1:-1] = 0.5 * points[1:-1] + 0.25 * (points[:-2] + points[2:])
        return points

    def _search(self, start: tuple[int, int], goal: tuple[int, int]) -> list[tuple[int, int]]:
        cost = 1.0 + 0.35 / np.maximum(self.clearance, 0.1) ** 2
        best, came, queue = {start: 0.0}, {start: start}, [(0.0, start)]
        while queue:
            _, cell = heapq.heappop(queue)
            if cell == goal:
                break
            for dr, dc in ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)):
                near = (cell[0] + dr, cell[1] + dc)
                if not self._inside(near):
                    continue
                total = best[cell] + float(cost[near]) * (1.41 if dr and dc else 1.0)
                if total < best.get(near, np.inf):
                    best[near], came[near] = total, cell
                    heuristic = max(abs(near[0] - goal[0]), abs(near[1] - goal[1]))
                    heapq.heappush(queue, (total + heuristic, near))
        cells = [goal]
        while cells[-1] != start:
            cells.append(came[cells[-1]])
        return cells[::-1]

    def _inside(self, cell: tuple[int, int]) -> bool:
        rows, columns = self.passable.shape
        return 0 <= cell[0] < rows and 0 <= cell[1] < columns and bool(self.passable[cell])


def _follow(ways: list[np.ndarray], steps: int, speed: float) -> Drive:
    """Pure pursuit of a carrot on the way; turns on the spot where the carrot is far aside."""
    way = np.concatenate(ways)
    travelled = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(way, axis=0).T))])
    ahead = max(_LOOK_AHEAD_M, 0.5 * speed)
    x, y = way[0]
    first = _carrot(way, travelled, 2.0 * ahead) - way[0]
    yaw, done, v = float(np.arctan2(first[1], first[0])), 0.0, 0.0
    poses, speeds = np.empty((steps, 3)), np.empty((steps, 2))
    for index in range(steps):
        target = _carrot(way, travelled, done + ahead)
        dx, dy = target - (x, y)
        aside = (np.arctan2(dy, dx) - yaw + np.pi) % (2 * np.pi) - np.pi
        ended = done >= travelled[-1] - 0.05
        wanted = 0.0 if ended else speed * max(0.0, np.cos(aside)) ** 4
        v += float(np.clip(wanted - v, -2.0 * speed * STEP_S, 1.5 * speed * STEP_S))
        w = 0.0 if ended else float(np.clip(2.5 * aside, -_TURN_RPS, _TURN_RPS))
        poses[index], speeds[index] = (x, y, yaw), (v, w)
        middle = yaw + 0.5 * w * STEP_S
        x, y, yaw = x + v * STEP_S * np.cos(middle), y + v * STEP_S * np.sin(middle), yaw + w * STEP_S
        done = max(done, _nearest(way, travelled, x, y, done, ahead))
        if np.hypot(dx, dy) < 0.5 * ahead:
            # The way doubles back onto the robot: the carrot must not wait there
            done += speed * STEP_S
    return Drive(poses, speeds)


def _carrot(way: np.ndarray, travelled: np.ndarray, s: float) -> np.ndarray:
    return np.array([np.interp(s, travelled, way[:, 0]), np.interp(s, travelled, way[:, 1])])


def _nearest(way: np.ndarray, travelled: np.ndarray, x: float, y: float, done: float, ahead: float) -> float:
    """How far along the way (x, y) is, looked for near where it was."""
    near = np.flatnonzero((travelled >= done - 0.2) & (travelled <= done + 2.0 * ahead))
    return float(travelled[near[np.argmin(np.hypot(*(way[near] - (x, y)).T))]]) if len(near) else done
