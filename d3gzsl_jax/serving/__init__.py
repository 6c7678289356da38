"""A local page for one model: drop pictures, see predictions; describe a new class, see it join."""
