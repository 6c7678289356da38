"""What each part is worth: a grid of configurations over seeds."""
