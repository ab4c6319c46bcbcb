"""Studies: contenders times seeds on held-out rows, kept row by row, compared with a control."""
