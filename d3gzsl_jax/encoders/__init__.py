"""From pictures and words to feature rows and semantic vectors."""
