"""Items are associated across scenarios."""
