"""The objectives of both papers and of their ablations, and ours for a robot's recordings, by name.

What belongs to data, network or schedule (beams, skip connections, learning rates) is not here: `guizilini_rep` serves
training from scratch and refinement alike. Weights that a paper leaves to validation are marked so.
"""

from __future__ import annotations

from dataclasses import replace

from training.losses.motion_config import MotionConfig
from training.losses.stereo_objective import StereoConfig

GUIZILINI_SELF = MotionConfig()
KUZNIETSOV = StereoConfig()
STARRED = replace(KUZNIETSOV, only_unmeasured=True)  # table 3's rows with a star, and the full model they compare with

MOTION: dict[str, MotionConfig] = {
    "packnet_sfm": replace(GUIZILINI_SELF, minimum=False, automask=False, native_scales=True),
    "guizilini_self": GUIZILINI_SELF,
    "guizilini_rep": replace(GUIZILINI_SELF, reprojected=1e4),  # units unsaid: by validation from 1 to 1e4
    "guizilini_l1": replace(GUIZILINI_SELF, supervised=1.0, norm="l1"),  # weight by validation
    "guizilini_berhu": replace(GUIZILINI_SELF, supervised=1.0, norm="berhu"),  # weight by validation
    "guizilini_supervised_l1": replace(GUIZILINI_SELF, photometric=0.0, supervised=1.0, norm="l1"),
    "midas_student": MotionConfig(photometric=0.0, distillation=1.0),  # a teacher's labels alone
    "robot": MotionConfig(
        stereo=False,  # set where the robot has a pair
        reprojected=10.0,  # by validation
        pose_gradient="none",  # the motion can't collapse, see `reprojected`
        supervised=0.1,  # by validation
        norm="berhu",
        velocity=0.1,  # by validation
        distillation=0.1,  # by validation
    ),
}

STEREO: dict[str, StereoConfig] = {
    "kuznietsov": KUZNIETSOV,
    "kuznietsov_starred": STARRED,
    "kuznietsov_no_smoothing": replace(STARRED, sigma=0.0),
    "kuznietsov_l2": replace(KUZNIETSOV, norm="l2"),
    "kuznietsov_supervised": replace(KUZNIETSOV, gamma=0.0),
    "kuznietsov_unsupervised": replace(KUZNIETSOV, beta=0.0),
    "kuznietsov_no_fade_in": replace(KUZNIETSOV, fade_in=False),
}
