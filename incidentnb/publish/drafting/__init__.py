"""What a draft is made of: facts out of the record, wording, what it may not claim, payloads."""
