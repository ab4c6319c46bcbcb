"""Users are grouped by interest."""
