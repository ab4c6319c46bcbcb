"""Texts become vectors of a large pretrained model."""
