"""Recipes: complete, validated, and refused with the key, the value and the remedy."""

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from irnet.config import Settings, find_recipe, json_schema, load_recipe, parse_settings
from irnet.errors import InputError

NAMES = [
    "authors",
    "cspnet",
    "default",
    "finetune",
    "paper",
    "release",
    "study-scarce",
    "study-small",
    "study-tiny",
    "tiny",
]


def leaves(values: dict, prefix: str = "") -> set[str]:
    found = set()
    for key, value in values.items():
        found |= leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key}
    return found


def sections(model: type[BaseModel]):
    yield model
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from sections(field.annotation)


@pytest.mark.parametrize("name", NAMES)
def test_recipes_are_complete(name):
    written = tomllib.loads(find_recipe(name).read_text())
    assert leaves(written) == leaves(Settings().model_dump())


def test_default_recipe_is_the_default():
    assert load_recipe("default") == Settings()


def test_the_paper_is_read_literally():
    paper = load_recipe("paper")
    assert paper.train.lr == 0.0025
    assert paper.train.bias_lr == 2
    assert paper.train.weight_decay == 1e-4
    assert (paper.train.warmup_steps, paper.train.warmup_factor) == (500, pytest.approx(1 / 3))
    assert paper.model.drm.top_k == 40
    assert paper.model.drm.label == "max_iou"
    assert paper.model.irm.affinity == "dot"
    assert paper.loss.alpha == paper.loss.beta == 1


@pytest.mark.parametrize("section", list(sections(Settings)), ids=lambda section: section.__name__)
def test_every_number_is_described(section):
    obvious = {"cytoplasm", "nucleus", "optimizer", "precision", "objectness", "rpn_box", "cls", "box"}
    for name, field in section.model_fields.items():
        is_section = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        assert is_section or name in obvious or field.description, name


def test_overrides_are_toml_values_or_strings(tmp_path: Path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text("[train]\nlr = 1e-3\n")
    settings = load_recipe(
        recipe,
        [
            "train.lr=2e-3",
            "model.drm.enabled=false",
            "data.split=[0.5, 0.25, 0.25]",
            "model.irm.affinity=dot",
        ],
    )
    assert settings.train.lr == 2e-3
    assert settings.model.drm.enabled is False
    assert settings.data.split == (0.5, 0.25, 0.25)
    assert settings.model.irm.affinity == "dot"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.lrate=1", "unknown key train.lrate; did you mean lr?"),
        ("trian.lr=1", "unknown key trian; did you mean train?"),
        ("predict.views.4.scroe.nucleus=0.4", "unknown key predict.views.4.scroe; did you mean score?"),
        ("train.lr=-1", "train.lr = -1: input should be greater than 0"),
        ("train.lr=nan", "train.lr = nan: input should be a finite number"),
        ("model.backbone=resnet10", "model.backbone = 'resnet10': input should be 'resnet18', "),
        ("train.lr.x=1", "lr is a value, not a section"),
        ("train.lr", "write section.key=value"),
        ("model.irm.inputs=msk", "model.irm.inputs = 'msk' without model.irm.relation"),
        ("model.trunk_weights=", "name a weights file"),
        ("model.trunk_norm=group", "set model.trunk_norm = 'frozen_bn'"),
        ("model.drm.enabled=false", "model.drm.across_classes without model.drm.enabled and"),
        ("model.mask_box_scale=0.5", "model.mask_box_scale = 0.5: input should be greater than or equal"),
        ("loss.beta=0", "loss.beta = 0 never trains the IRM"),
        ("loss.alpha=0", "loss.alpha = 0 never trains the DRM"),
        ("model.cspnet.enabled=true", "set model.drm.enabled = false and model.irm.enabled = false"),
        ("predict.floor=0.6", "predict.score.cytoplasm = 0.5 is below predict.floor = 0.6"),
        (
            "predict.views.4.score={cytoplasm=0.5, nucleus=0.01}",
            "predict.views.4.score.nucleus = 0.01 is below",
        ),
        ("data.split=[0.7, 0.1, 0.1]", "sums to 0.9; make it sum to 1"),
        ("data.generated.composed=0.5", "needs data.generated.cutouts"),
        ("model.min_size=800", "model.max_size = 0 is below model.min_size = 800"),
        ("model.anchor_sizes=[32, 16, 64, 128, 256]", "must grow from level P2"),
    ],
)
def test_refusals_name_key_value_and_remedy(override, message):
    extra = ["model.irm.relation=false"] if "inputs=msk" in override else []
    extra += ["model.drm.across_classes=true"] if "drm.enabled" in override else []
    with pytest.raises(InputError, match=re.escape(message)):
        load_recipe("default", [*extra, override])


def test_the_method_is_read_from_what_is_switched_on():
    assert load_recipe("default").method == "irnet"
    assert load_recipe("default", ["model.drm.enabled=false"]).method == "irnet"
    plain = ["model.drm.enabled=false", "model.irm.enabled=false"]
    assert load_recipe("default", plain).method == "maskrcnn"
    assert load_recipe("cspnet").method == "cspnet"
    with pytest.raises(InputError, match=r"set predict\.suppression = 'mask'"):
        load_recipe("default", [*plain, "model.cspnet.enabled=true"])


def test_bundled_weights_fit_the_small_study():
    small, release = load_recipe("study-small").model, load_recipe("release").model
    assert small == release


def test_group_norm_from_scratch_freezes_nothing():
    overrides = ["model.backbone=resnet18", "model.trunk_norm=group", "model.trunk_weights="]
    with pytest.raises(InputError, match=r"model\.frozen_stages = 0"):
        load_recipe("default", overrides)
    assert load_recipe("default", [*overrides, "model.frozen_stages=0"]).model.trunk_norm == "group"


def test_unknown_recipe_and_broken_file(tmp_path: Path):
    with pytest.raises(InputError, match=r"did you mean paper\?.*give a \.toml file or one of"):
        load_recipe("papre")
    broken = tmp_path / "broken.toml"
    broken.write_text("[train\n")
    with pytest.raises(InputError, match=r"broken\.toml: not a readable TOML file: .*line 1"):
        load_recipe(broken)
    with pytest.raises(InputError, match=r"absent\.toml"):
        load_recipe(tmp_path / "absent.toml")


def test_a_recipe_may_begin_with_the_mark_of_an_editor(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text("[train]\nbatch = 3\n", encoding="utf-8-sig")
    assert load_recipe(path).train.batch == 3


def test_an_override_is_named_beside_the_recipe():
    with pytest.raises(InputError, match=r"tiny\.toml with --set train\.foo=1: unknown key train\.foo"):
        load_recipe("tiny", ["train.foo=1"])


def test_settings_survive_json():
    settings = load_recipe("release")
    assert parse_settings(settings.model_dump(mode="json"), source="checkpoint") == settings


def test_schema_describes_the_sections():
    schema = json_schema()
    assert set(schema["properties"]) == {"model", "loss", "train", "data", "unlabelled", "predict"}
    assert schema["$defs"]["TrainSettings"]["additionalProperties"] is False
    assert "learning rate" in schema["$defs"]["TrainSettings"]["properties"]["lr"]["description"].lower()


@pytest.mark.parametrize("text", ["[" * 100_000, "{a=" * 9_000, "9" * 5_000])
def test_a_value_that_no_parser_takes_is_refused_in_a_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"train\.lr") as caught:
        load_recipe("default", [f"train.lr={text}"])
    assert len(str(caught.value)) < 1000
    (tmp_path / "deep.toml").write_text(f"[train]\nlr = {text}")
    with pytest.raises(InputError, match=r"deep\.toml: not a readable TOML file"):
        load_recipe(tmp_path / "deep.toml")


def test_a_setting_of_earlier_versions_may_say_what_always_holds(tmp_path: Path):
    recipe = tmp_path / "earlier.toml"
    text = find_recipe("default").read_text()
    recipe.write_text(text.replace("[model.rpn]", "[model.rpn]\nnms = 0.7"))
    assert load_recipe(recipe, ["data.augment.jpeg_quality=[50, 95]"]) == load_recipe("default")
    with pytest.raises(InputError, match=r"model\.rpn\.nms = 0\.6: no setting any more, always 0\.7: leave"):
        load_recipe(recipe, ["model.rpn.nms=0.6"])


@pytest.mark.parametrize("name", ["runs/mine/paper", "nowhere/release", "papers"])
def test_a_path_is_no_name_of_a_recipe(name):
    with pytest.raises(InputError, match=f"unknown recipe '{name}'"):
        load_recipe(name)
