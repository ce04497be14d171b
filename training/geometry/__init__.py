"""Where a pixel of one image lies in another, differentiable. One convention throughout: the first pixel's centre is
(0, 0), `align_corners=False`; `T_source_target` maps points of the target camera into the source camera."""
