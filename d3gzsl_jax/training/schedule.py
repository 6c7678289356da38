"""The learning-rate schedule of the released code, by parameter group: multiplied at the end of every 20th epoch."""

RELEASED_DECAY_EVERY = 20
RELEASED_FACTORS = {
    "generator": 1.09,
    "critic": 1.09,
    "student_embedding": 0.98,
    "student_head": 0.98,
    "confidence": 0.99,
}
