"""Landbridge: nightly recommendation tables for many scenarios, knowledge carried from large ones to small ones."""

__version__ = "0.1.0"
