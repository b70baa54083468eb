"""Drills: make an incident with a known answer, and compare what someone found with it."""

from incidentnb.drill.answer import FILE, Answer, read_answer
from incidentnb.drill.grading import grade
from incidentnb.drill.making import make
from incidentnb.drill.scenario import KINDS, PACKINGS, STYLES

__all__ = ["FILE", "KINDS", "PACKINGS", "STYLES", "Answer", "grade", "make", "read_answer"]
