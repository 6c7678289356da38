"""TensorFlow Datasets builders; importing a module here registers its builder."""
