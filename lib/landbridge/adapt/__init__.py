"""The text encoder is tuned to the domain: pairs of texts from the events, low-rank adapters, a registered model."""
