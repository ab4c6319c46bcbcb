"""The lake: contracts of the tables, one adapter for delta-rs, one for Spark."""
