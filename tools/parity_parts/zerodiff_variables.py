"""What the variables of the public ZeroDiff scripts are called in a recording, by stage (see script_zerodiff.py)."""

PRIOR = ("sqrt_alphas_bar", "sigmas_bar", "sqrt_alphas", "sigmas")
POSTERIOR = ("posterior_mean_coef1", "posterior_mean_coef2", "posterior_log_variance_clipped")
NOISE_OF = {"q_sample_pairs": "step", "q_sample": "diffuse", "sample_posterior": "posterior"}
"""The script's function that draws it -> recorded name of noise like a row."""
NETWORKS = {
    "drg": {"generator": "netR", "critic_x0": "netD_r0", "critic_xt": "netD_rt", "decoder": "netDec"},
    "dfg": {
        "encoder": "netE", "generator": "netG", "critic_x0": "netD_x0", "critic_xt": "netD_xt", "critic_xc": "netD_xc",
        "decoder": "netDec", "representation": "netR",
    },
}  # fmt: skip
"""By stage, recorded name of a network -> its name in the script's object."""
LAST_TO_STEP = {"drg": ("optimizerD_rt", "optimizerR"), "dfg": ("optimizerD_xc", "optimizerG")}
"""By stage, of a critic's and of a generator's update."""
TERMS = {
    "drg": {
        "update_D": {
            "semantic": "R_cost", "real": "criticD_real", "fake": "criticD_fake", "penalty": "gp", "penalty_x0": "gp_r0",
            "penalty_xt": "gp_rt",
        },
        "update_G": {"x0": "criticG_fake_r0", "xt": "criticG_fake_rt", "semantic_unused": "loss_att_mse"},
    },
    "dfg": {
        "update_D": {
            "semantic": "R_cost", "real": "criticD_real", "fake": "criticD_fake", "penalty": "gp", "penalty_x0": "gp_x0",
            "penalty_xt": "gp_xt", "penalty_xc": "gp_xc", "mutual": "distill_loss",
        },
        "update_G": {"x0": "criticG_fake_x0", "xt": "criticG_fake_xt", "xc": "criticG_fake_xc", "semantic": "R_cost"},
    },
}  # fmt: skip
"""By stage and function, recorded name of a term -> the function's variable."""
SYNTHESES = {
    "drg": {"synthesis": {"features": "syn_unseen_con", "label": "syn_unseen_label"}},
    "dfg": {
        "synthesis": {"features": "syn_feature", "contrastive": "syn_con", "label": "syn_label"},
        "synthesis_progressive": {"features": "syn_feature_pro", "contrastive": "syn_con_pro", "label": "syn_label_pro"},
    },
}  # fmt: skip
"""By stage, where synthesized rows are recorded -> recorded name -> the script's variable."""
CLASSIFIERS = {"drg": ("gzsl_C",), "dfg": ("gzsl_V", "gzsl_VCS", "zsl_VCS")}
"""By stage, those that are recorded, in order: in the scripts they come first on rows of a single evaluation."""
