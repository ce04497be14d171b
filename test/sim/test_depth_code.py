"""The 16-bit depth code of rendered frames."""

from __future__ import annotations

import numpy as np

from depth_perception.sim.depth_code import decode_depth, encode_depth


def test_values_survive_with_a_relative_error_of_6e_5() -> None:
    depth = np.geomspace(0.1, 200.0, 5001).astype(np.float32)
    back = decode_depth(encode_depth(depth))
    assert float(np.max(np.abs(back / depth - 1.0))) < 6e-5


def test_special_values() -> None:
    codes = encode_depth(np.array([np.nan, np.inf, 250.0, 0.01, 0.1, 200.0], np.float32))
    assert codes.tolist() == [0, 65535, 65535, 1, 1, 65534]
    back = decode_depth(codes)
    assert np.isnan(back[0]) and np.isinf(back[1]) and np.isinf(back[2])
    np.testing.assert_allclose(back[3:], [0.1, 0.1, 200.0], rtol=1e-6)
