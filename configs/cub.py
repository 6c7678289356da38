"""D3GZSL on CUB-200-2011, ResNet-101 features, 312 attributes, WGAN-GP base.

Paper: arXiv 2402.11424 (AAAI 2024). Expected U/S/H: not published for this base and these attributes. For orientation: 66.7 /
69.1 / 67.8 (U/S/H) is quoted for D3GZSL on CUB by later papers (base inferred: CE-GZSL, sentence vectors); f-CLSWGAN without
D3 has 43.7 / 57.7 / 49.7 with attributes (Xian et al. 2018). The released CUB options file sets the weights of L_od, L_be and
L_kl to 0 with 0.0001 in a comment beside each; here all weights are 1e-4.

    python -m d3gzsl_jax.main --config=configs/cub.py --config.data.root=FOLDER    (configs/cub.py:base without D3)
"""

from ml_collections import ConfigDict

from configs import default


def get_config(variant: str = "d3") -> ConfigDict:
    """Released settings."""
    return default.get_config(variant)
