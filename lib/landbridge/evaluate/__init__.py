"""The step evaluate: who is judged, on what, by which measure, with which certainty, and what each scenario publishes."""
