"""What a postmortem is made of: facts out of the record, parts that people may edit, a lint, action items."""
