"""The step evaluate: who is judged, on what, by which measure, how surely, and what each scenario publishes."""
