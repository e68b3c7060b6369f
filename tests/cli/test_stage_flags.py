"""Each stage has the flags that it reads: in its help, under headings, and nowhere else."""

from __future__ import annotations

from dataclasses import fields

import pytest

from deeplab_caffe.cli import main
from deeplab_caffe.cli.command_table import COMMANDS
from deeplab_caffe.cli.main import command_modules, fill
from deeplab_caffe.cli.parser import Parser
from deeplab_caffe.cli.stage_flags import FLAGS, STAGES
from deeplab_caffe.experiment.pipeline import STAGES as RUN
from deeplab_caffe.nets import GeneratorOptions, flag_of


def _parser(stage: str) -> Parser:
    """The parser of a stage, also of that which shares its command with another module."""
    parser = Parser(prog=f"deeplab {stage}")
    fill(parser, COMMANDS[stage], command_modules(COMMANDS[stage])[-1])
    return parser


def _stop(words: list[str]) -> object:
    with pytest.raises(SystemExit) as stop:
        main(words)
    return stop.value.code


def test_the_table_has_every_stage_and_option():
    assert list(STAGES) == [*RUN, "all"]
    assert {flag_of(option.name) for option in fields(GeneratorOptions)} < set(FLAGS)


@pytest.mark.parametrize("stage", STAGES)
def test_help_shows_what_the_stage_reads(stage):
    parser = _parser(stage)
    assert set(parser.flags()) - {"-h", "--help"} == {flag for flag, (_, stages) in FLAGS.items() if stage in stages}
    assert parser.format_usage() == f"usage: deeplab {stage} NAME [flags]\n"
    titles = [group.title for group in parser._action_groups if group._group_actions]
    assert titles[2:] == list(dict.fromkeys(h for h, stages in FLAGS.values() if h and stage in stages))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["test", "demo", "--base-lr", "0.1"], "test reads no --base-lr; it acts on: prototxt, train, all"),
        (["test", "demo", "--base-lr=0.1"], "test reads no --base-lr; it acts on: prototxt, train, all"),
        (["train", "demo", "--test-crop", "65"], "train reads no --test-crop; it acts on: prototxt, test, all"),
        (["evaluate", "demo", "--gpu", "0"], "evaluate reads no --gpu; it acts on: train, train2, test, report, all"),
        (["crf", "demo", "--flip"], "crf reads no --flip; it acts on: data, test, all"),
        (["report", "demo", "--trimap", "1:40"], "report reads no --trimap; it acts on: evaluate, all"),
        (["data", "demo", "--show", "a"], "data reads no --show; it acts on: report, all"),
        (["train", "demo", "--dataset", "x", "--data", "y"], "--dataset x and --data y contradict each other"),
        (["train", "demo", "--policy", "pol"], "--policy: got 'pol'; wanted step, poly or fixed; did you mean"),
    ],
)
def test_other_flags_are_refused_before_anything_is_done(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert _stop(words) == 2
    assert said in (shown := capsys.readouterr().err) and shown.startswith(f"deeplab {words[0]}: error: ")
    assert not list(tmp_path.iterdir())


#: older names of flags, of which none is shown
_OLDER = {
    "--dataset": "--data",
    "--experiment": "--exp",
    "--lists": "--list",
    "--source": "--mirror",
    "--from-images": "--from-preprocessing",
    "--to-images": "--to-preprocessing",
}


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if command.group != "older names"])
def test_one_thing_has_one_name(name):
    """Older names are read where the flag is known, and not shown."""
    for module in command_modules(COMMANDS[name]):
        if hasattr(module, "PROGRAM"):
            continue
        parser = Parser(prog=name)
        fill(parser, COMMANDS[name], module)
        assert not _OLDER.keys() & set(parser.flags())
        for old, new in _OLDER.items():
            known = parser._option_string_actions
            assert (old in known) <= (known.get(old) is known.get(new)), (name, old)
