"""What the cells of a notebook see of an incident: its evidence, its answers, its record.

``Case`` computes every answer once, when it is first asked for. An answer that stands on another that failed says ``cannot tell``
and why. ``section`` keeps one failing part from taking the rest with it. What people record goes into the journal through the same
call as from the command line.
"""

from incidentnb.case.core import Case, Logs

__all__ = ["Case", "Logs"]
