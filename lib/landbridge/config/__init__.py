"""The configuration: one typed tree out of conf/<set>.yaml (what) and conf/profiles/<profile>.yaml (where)."""

from landbridge.config.load import load
from landbridge.config.schema import Config

__all__ = ["Config", "load"]
