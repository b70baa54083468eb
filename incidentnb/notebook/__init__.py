"""Notebooks: found, checked, prepared, executed, and the truth told about every cell. The only place that knows papermill.

Papermill's own statuses and writes are not relied upon: the states are computed from outputs, execution counts and what was seen
happening, and a run appears in its folder whole or not at all.
"""

from incidentnb.notebook.kernel import warm_kernel
from incidentnb.notebook.lab import lab_command, prepare_lab
from incidentnb.notebook.parameters import check_parameters, find, prepare
from incidentnb.notebook.run import execute
from incidentnb.notebook.store import salvage
from incidentnb.notebook.truth import CellState, RunRecord

__all__ = ["CellState", "RunRecord", "check_parameters", "execute", "find", "lab_command", "prepare", "prepare_lab", "salvage",
           "warm_kernel"]
