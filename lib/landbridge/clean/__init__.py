"""Raw daily logs in, events and quarantine out: every row of a file is in exactly one of them."""
