"""Pictures and exact depth of a world, from any pinhole camera."""

from __future__ import annotations

import contextlib
import os

import cv2
import numpy as np

from depth_perception.camera import CameraModel
from depth_perception.errors import SimulatorError
from depth_perception.sim.lighting import Lighting, develop
from depth_perception.sim.scene import FAR_M, LIGHTS, NEAR_M, compile_scene
from depth_perception.sim.world import World

# Half the side of the square around the view that the sun's shadow map covers
SHADOW_REACH_M = 28.0


class WorldRenderer:
    """Renders one world. `height, width`: the largest picture; `oversample`: samples per pixel and axis for colour.

    Colour is rendered larger and averaged down. Depth is rendered at the picture's own size, so that each value is the
    depth of the ray through the pixel's centre.
    """

    def __init__(self, world: World, height: int, width: int, oversample: float = 2.0, shadow_map: int = 2048) -> None:
        os.environ.setdefault("MUJOCO_GL", "egl")
        import mujoco

        self.world, self.oversample, self.shadows = world, float(oversample), shadow_map > 0
        size = (round(height * oversample), round(width * oversample))
        self.model = compile_scene(world.scene, world.sky, size, max(shadow_map, 16))
        self.data = mujoco.MjData(self.model)
        mujoco.mj_forward(self.model, self.data)
        try:
            self._gl = mujoco.GLContext(size[1], size[0])
            self._gl.make_current()
            self._context = mujoco.MjrContext(self.model, mujoco.mjtFontScale.mjFONTSCALE_100)
        except Exception as error:
            raise SimulatorError(
                f"no OpenGL context ({error}); install Debian's libegl1 and libgl1-mesa-dri, or set "
                "MUJOCO_GL to egl, osmesa or glfw"
            ) from error
        self._context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._scene = mujoco.MjvScene(self.model, maxgeom=self.model.ngeom + 50)
        self._closed = False
        self._option, self._camera = mujoco.MjvOption(), mujoco.MjvCamera()
        # Leaves are single faces seen from both sides
        self._scene.flags[mujoco.mjtRndFlag.mjRND_CULL_FACE] = False
        self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False

    def render(
        self, camera: CameraModel, T_world_camera: np.ndarray, lighting: Lighting
    ) -> tuple[np.ndarray, np.ndarray]:
        """Picture uint8 (H, W, 3) RGB and depth float32 (H, W) metres along the optical axis, +Inf where nothing is."""
        import mujoco

        self._gl.make_current()
        self._set_lights(lighting, T_world_camera)
        mujoco.mjv_updateScene(
            self.model, self.data, self._option, None, self._camera, mujoco.mjtCatBit.mjCAT_ALL.value, self._scene
        )
        _aim(self._scene, camera, T_world_camera)
        depth = self._depth(camera.height, camera.width)
        return develop(self._colour(camera.height, camera.width), depth, lighting), depth

    def place_body(self, name: str, T_world_body: np.ndarray) -> None:
        """Move a moving body of the world."""
        import mujoco

        index = self.model.body_mocapid[mujoco.mj_name2id(self.model, mujoco.mjtObj.mjOBJ_BODY, name)]
        self.data.mocap_pos[index] = T_world_body[:3, 3]
        mujoco.mju_mat2Quat(self.data.mocap_quat[index], np.ascontiguousarray(T_world_body[:3, :3]).reshape(9))

    def settle(self) -> None:
        """Take over what `place_body` moved."""
        import mujoco

        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)

    def shuffle_traffic(self, rng: np.random.Generator) -> None:
        """Put every moving body at a random place along its way."""
        for mover in self.world.scene.movers:
            self.place_body(mover.name, mover.way(float(rng.uniform(0.0, 1000.0))))
        self.settle()

    def close(self) -> None:
        """Free the OpenGL resources; may be called twice."""
        if self._closed:
            return
        self._closed = True
        self._gl.make_current()
        self._context.free()
        self._gl.free()

    def __del__(self) -> None:
        # Left to the garbage collector, MuJoCo would delete these textures' names in whichever context is current
        with contextlib.suppress(Exception):
            self.close()

    def _colour(self, height: int, width: int) -> np.ndarray:
        import mujoco

        s = self.oversample
        raw = np.empty((round(height * s), round(width * s), 3), np.uint8)
        rect = mujoco.MjrRect(0, 0, raw.shape[1], raw.shape[0])
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = self.shadows
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = self._scene.flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = False
        mujoco.mjr_render(rect, self._scene, self._context)
        mujoco.mjr_readPixels(raw, None, rect, self._context)
        raw = raw[::-1]
        return raw.copy() if s == 1 else cv2.resize(raw, (width, height), interpolation=cv2.INTER_AREA)

    def _depth(self, height: int, width: int) -> np.ndarray:
        import mujoco

        buffer = np.empty((height, width), np.float32)
        rect = mujoco.MjrRect(0, 0, width, height)
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = self._scene.flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = True
        mujoco.mjr_render(rect, self._scene, self._context)
        mujoco.mjr_readPixels(None, buffer, rect, self._context)
        # Reversed z: 1 at the near plane, 0 at the far one, so that float32 stays exact far away
        z = buffer[::-1].astype(np.float64)
        with np.errstate(divide="ignore"):
            depth = NEAR_M * FAR_M / (NEAR_M + z * (FAR_M - NEAR_M))
        return np.where(z > 0.0, depth, np.inf).astype(np.float32)

    def _set_lights(self, lighting: Lighting, T_world_camera: np.ndarray) -> None:
        import mujoco

        model, eye = self.model, T_world_camera[:3, 3]
        model.vis.headlight.ambient[:] = lighting.ambient
        model.vis.map.shadowclip = SHADOW_REACH_M
        for index in range(LIGHTS):
            model.light_active[index] = index < len(lighting.lights)
            if index >= len(lighting.lights):
                continue
            light = lighting.lights[index]
            sun = light.position is None
            model.light_type[index] = (
                mujoco.mjtLightType.mjLIGHT_DIRECTIONAL if sun else mujoco.mjtLightType.mjLIGHT_SPOT
            )
            model.light_diffuse[index] = light.colour
            model.light_specular[index] = 0.4 * light.colour
            model.light_castshadow[index] = light.shadow
            model.light_cutoff[index], model.light_exponent[index] = 85.0, 1.0
            model.light_attenuation[index] = (1, 0, 0) if sun else (1.0, 0.0, 1.0 / light.reach_m**2)
            direction = light.direction / np.linalg.norm(light.direction)
            ahead = eye + T_world_camera[:3, 2] * (0.6 * SHADOW_REACH_M)
            self.data.light_xpos[index] = ahead - 60.0 * direction if sun else light.position
            self.data.light_xdir[index] = direction


def _aim(scene: object, camera: CameraModel, T_world_camera: np.ndarray) -> None:
    """Give both eyes of MuJoCo's scene the frustum of K: the picture spans -0.5 to W - 0.5, centres are integers."""
    rotation = T_world_camera[:3, :3]
    for eye in scene.camera:  # type: ignore[attr-defined]
        eye.pos, eye.forward, eye.up = T_world_camera[:3, 3], rotation[:, 2], -rotation[:, 1]
        left, right = (-0.5 - camera.cx) / camera.fx, (camera.width - 0.5 - camera.cx) / camera.fx
        eye.frustum_center, eye.frustum_width = 0.5 * NEAR_M * (left + right), 0.5 * NEAR_M * (right - left)
        eye.frustum_top = NEAR_M * (camera.cy + 0.5) / camera.fy
        eye.frustum_bottom = -NEAR_M * (camera.height - 0.5 - camera.cy) / camera.fy
        eye.frustum_near, eye.frustum_far = NEAR_M, FAR_M
        eye.orthographic = 0
