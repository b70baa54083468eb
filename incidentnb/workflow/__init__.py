"""The verbs as functions: the one room where evidence, analyses, record and documents meet.

``analyses``  answers without an incident: triage, onset, scope, patterns, formats
``running``   an incident's life: open, investigate, lab, replay, resolve, export, verify, status
``recording`` one journal entry each: note, hypothesis, evidence, verdict, mitigate, decide, severity, role …
``practice``  demo and drill
"""
