"""Lets the tests run from anywhere: `pytest models/training/tests`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
