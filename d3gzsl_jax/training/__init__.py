"""The fused training step and what it needs: state, optimisers, schedules, draws, the teacher and the distillation."""
