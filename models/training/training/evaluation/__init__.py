"""How well a model does, with how sure that is, and where it fails."""
