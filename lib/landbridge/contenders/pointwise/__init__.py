"""Contenders of pointwise tasks: each gives a row a probability."""
