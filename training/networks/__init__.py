"""Networks: `forward` exports, everything friendly is outside it."""
