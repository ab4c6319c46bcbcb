"""What a person reads: the page of a night, its closing summary, one user, and the difference between two nights."""
