"""The page of predictions: pictures, their best classes, and how good these are where that is known."""
