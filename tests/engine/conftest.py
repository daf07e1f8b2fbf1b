from __future__ import annotations

import pytest
from calculator_potential import CalculatorPotential


@pytest.fixture
def emt() -> CalculatorPotential:
    return CalculatorPotential()
