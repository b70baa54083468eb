"""What is hidden in texts: the table of rules and their checks, the quick way through a text, what is known by its field, the last scan."""
