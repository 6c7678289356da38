"""D3: a frozen teacher, a student trained beside the generator, and the terms that join them (arXiv 2402.11424).

    ID²SD  L_be, L_kl   losses/distillation.py: embedding_distillation, label_distillation
    O²DBD  L_od         losses/distillation.py: batch_ood_distillation
           L_cls        losses/classification.py: negative_log_likelihood

Those are functions of arrays. terms.py makes the arrays and sums the terms up to L_D3; objective.py adds that to the losses of
a base method. teacher.py is the frozen OOD model, student.py the networks of the student, unseen_sampling.py a step on some of
the unseen classes, student_rows.py what the final classifier sees where that is the student's embedding.
"""
