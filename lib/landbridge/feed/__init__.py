"""From a Delta version to the arrays that models learn from and score."""
