"""How the hops of one move are counted."""

from __future__ import annotations

from typing import Any

from hop_moves import summary


def test_hops_are_sorted_by_what_became_of_them() -> None:
    def row(gain: float | None, calls: int, move: str = "soft") -> dict[str, Any]:
        return {"move": move, "amplitude_A": 0.4, "calls": calls, "gain_meV_atom": gain}

    independent, soft = summary(
        [
            row(None, 1),
            row(-50.0, 80),
            row(-5.0, 40),
            row(0.9, 20),
            row(3.0, 30),
            row(1.1, 50),
            row(0.0, 9, "independent"),
        ]
    )
    assert (independent["hops"], independent["same"], independent["lower"]) == (1, 1, 0)
    counted = {name: soft[name] for name in ("hops", "failed", "much_higher", "same", "lower", "calls")}
    assert counted == {"hops": 6, "failed": 1, "much_higher": 1, "same": 1, "lower": 2, "calls": 35}
    assert soft["calls_per_lower"] == (1 + 80 + 40 + 20 + 30 + 50) / 2
