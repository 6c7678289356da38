"""The schedule of learning rates in the released D3GZSL script: factors by parameter group, and after how many epochs they act."""

RELEASED_DECAY_EVERY = 20
RELEASED_FACTORS = {
    "generator": 1.09,
    "critic": 1.09,
    "student_embedding": 0.98,
    "student_head": 0.98,
    "confidence": 0.99,
}
