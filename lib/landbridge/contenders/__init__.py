"""Everything that can be published, behind one interface."""
