"""A study's files -> checked tables: whatever lies on a planner's disk.

`read_inputs` reads a whole study. Inside, a file narrows down step by step: `grid` (cells) → `table` (rows under fields) → `columns`,
`places` (points, with the evidence for their datum), `demand`; `layers` for shapes; `notes` and `rejects` for what was noticed.
"""

from planner.intake.layers import read_layer
from planner.intake.reading import Inputs, read_inputs
from planner.intake.rejects import write_rejects
from planner.intake.table import RawTable, read_table

__all__ = ["Inputs", "RawTable", "read_inputs", "read_layer", "read_table", "write_rejects"]
