"""The verbs as functions: the one room where evidence, analyses, record and documents meet.

``analyses``   answers without an incident: triage, onset, scope, patterns, formats
``running``    an incident's life: open, investigate, watch, lab, replay, resolve
``exporting``  the appendix, and verify;  ``reviewing``  the postmortem and its action items
``recording``  the statements that make two entries (the others are ``record.statements``)
``practice``   drills and their answers;  ``demo``  the example incident
"""
