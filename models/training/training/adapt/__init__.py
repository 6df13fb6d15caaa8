"""A model for one household: its names, rooms and things, learnt in minutes without forgetting the rest."""
