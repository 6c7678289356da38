"""The sentences of a run's page that are the same for every run: what figures mean, and how plots and tables are read."""

from d3gzsl_jax.config import framework_fields
from d3gzsl_jax.runs.report.comparison import FOLDER

MEANINGS = {
    "U": "accuracy on test rows of unseen classes, never trained on, when any class may be answered; mean over classes.",
    "S": "accuracy on test rows of seen classes, which were trained on, when any class may be answered; mean over classes.",
    "H": "the harmonic mean of U and S: high only where both are.",
    "T1": "accuracy on test rows of unseen classes when only unseen classes may be answered (conventional zero-shot learning).",
    "AUSUC": "the area under the curve of S against U as seen classes are held back more and more: does not depend on the balance.",
}
"""One sentence a tile."""

NO_RESULT = "A test-selected row picks its epoch on the test set, as published code does: it is no result."
TEST_SELECTED = (
    "U, S and H above are of the epoch that looks best on the test rows, which is no result; what is said of single rows and "
    "classes is of the last epoch."
)
OF_FOLDS = "All of this is of classes and rows held out inside trainval; no test row was looked at."
CHANCE = (
    "chance: guessing uniformly, from the numbers of classes: U, S and H are 1 / all, T1 is 1 / unseen, AUSUC is "
    "1 / (2 x seen x unseen)."
)
OWN_BASELINES = (
    "Baselines were fitted beside the run, without synthesis, and chosen on the same folds; calibrated: at the gamma of the folds, "
    "as d3gzsl predict --predictor=NAME predicts by them (NAME: eszsl, regressor, class_norm or clip)."
)
NO_BASELINE = (
    f"No baseline was run: d3gzsl baselines --config=... --output=FOLDER/{FOLDER}, with the folder of this run, makes some; "
    "d3gzsl report FOLDER then shows them here."
)
CONFUSIONS = "The largest shares of the test rows of a class that are taken for one other class, on all test rows."
LAST_EPOCH = " They are of the last epoch."

PLOTS = {
    "metrics": (
        "Accuracy over training",
        "U and S are top-1 accuracies averaged over unseen and over seen classes, H is their harmonic mean, T1 is the accuracy "
        "of unseen rows where only unseen classes may be predicted. U far below T1 means that unseen rows are taken for seen "
        "classes.",
    ),
    "curve": (
        "Seen-unseen trade-off",
        "A constant gamma subtracted from all seen logits moves a predictor along its curve (calibrated stacking); the dot is "
        "the predictor as evaluated, dotted lines join points of equal H. A dot away from the corner of its curve loses H to "
        "the balance of seen and unseen, a low corner loses it to confusion within them. AUSUC is the area under the curve: it "
        "does not depend on the balance.",
    ),
    "confusion": (
        "Seen taken for unseen, and the reverse",
        "Whether test rows are taken for any class of their own side. Much blue in the lower bar of a predictor: unseen rows "
        "drown in seen classes. Much orange in the upper one: the reverse.",
    ),
    "per_class": (
        "Accuracy by class",
        "How evenly classes are recognised: U and S are the means of the unseen and of the seen ones. An unseen class near 0 "
        "often has a semantic vector close to that of another class.",
    ),
    "scores": (
        "The teacher's scores",
        "How sure the teacher is that a row is of a seen class. Seen rows should lie to the right of unseen ones; synthesized "
        "rows serve best where they lie like the unseen test rows they stand for.",
    ),
    "projection": (
        "Real and synthesized features of unseen classes",
        "Both on the two main axes of the real rows; what these axes do not show stays hidden. Synthesized rows should cover "
        "the real ones of their class. A tight dot is a collapsed generator.",
    ),
    "losses": (
        "Loss terms",
        "Means over the steps since the evaluation before. 'variance, synthesized / real' is that of synthesized rows of an unseen "
        "class as a share of that of real rows of a class: it falls towards 0 when the generator collapses.",
    ),
    "norms": (
        "Norms and learning rates",
        "By parameter group. An update norm that grows against its parameter norm, or a gradient norm that climbs without end, "
        "comes before divergence.",
    ),
}
"""Title and how to read it, by name of the plot, in the order of the page."""

BASELINES = {"eszsl": "ESZSL", "regressor": "linear regressor", "class_norm": "class normalization", "clip": "zero-shot CLIP"}
FRAMEWORKS = {name: of.called for name, of in framework_fields.FRAMEWORKS.items()}
TEACHER = {
    "seen_accuracy": ("accuracy on seen test rows", "mean over classes, among seen classes only"),
    "auroc": ("AUROC", "of its score, seen against unseen test rows; 50 is chance"),
    "fpr_at_95": ("FPR@95", "unseen rows accepted where 95 % of seen rows are; lower is better"),
    "id_accuracy": ("seen rows over the threshold", "of its score, config.teacher.threshold"),
    "ood_accuracy": ("unseen rows at or under it", "the same threshold"),
}
TERMS = {"cls": "L_cls", "od": "L_od", "be": "L_be", "kl": "L_kl", "distillation": "L_D3, weighted sum"}
