"""Sets of pictures and sentences to try the commands for one's own with."""
