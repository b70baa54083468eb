"""incidentnb: from the first alert to the appendix of the postmortem, in one notebook."""

__all__: list[str] = []
