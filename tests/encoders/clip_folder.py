"""A CLIP and a SigLIP of random weights, saved as Hugging Face's models are."""

import json

WORDS = "a closed ring with one large hole two bows above the other"
_SIDE = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
_COMMON = {"do_resize": True, "do_normalize": True, "resample": 3, "image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28]}
_CLIP = {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 32}, "crop_size": 32, "do_center_crop": True}
_SIGLIP = {"image_processor_type": "SiglipImageProcessor", "size": {"height": 32, "width": 32}}


def write_clip(folder, seed=0, siglip=False):
    """Writes one; the libraries it needs are there."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    torch.manual_seed(seed)
    text = _SIDE | {"vocab_size": 64, "max_position_embeddings": 16, "bos_token_id": 62, "eos_token_id": 63, "pad_token_id": 1}
    sides = {"text_config": text, "vision_config": _SIDE | {"image_size": 32, "patch_size": 8}}
    if siglip:
        model = transformers.SiglipModel(transformers.SiglipConfig(**sides))
    else:
        model = transformers.CLIPModel(transformers.CLIPConfig(**sides, projection_dim=12))
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(_COMMON | (_SIGLIP if siglip else _CLIP)))
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator([WORDS], trainers.WordLevelTrainer(special_tokens=["<unk>", "<pad>"], show_progress=False))
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>")
    fast.save_pretrained(folder)
    return folder
