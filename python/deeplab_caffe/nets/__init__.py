"""Generators of nets and solvers: functions from tops to tops that are composed, and a table of variants."""

from ..formats.signature import is_untouched, made_by, signed_anew
from .blocks import Spec, Style
from .generate import check_options, experiment_folder, generate, list_names, prototxt_folder, trained_weights
from .generated_files import SUMS, WriteResult, generated_pairs, regenerated, sum_lines, write_files
from .input_sizes import SizeRule
from .model_names import full_name, initial_weights, look_up, published_names, starts_from, target
from .net_context import NetContext, Role, class_weights_file
from .option_flags import add_arguments, command_line, from_arguments
from .options import GeneratorOptions
from .solver_recipes import Recipe
from .variant import Score, Variant
from .variants import FAMILIES, VARIANTS

__all__ = [
    "FAMILIES",
    "SUMS",
    "VARIANTS",
    "GeneratorOptions",
    "NetContext",
    "Recipe",
    "Role",
    "Score",
    "SizeRule",
    "Spec",
    "Style",
    "Variant",
    "WriteResult",
    "add_arguments",
    "check_options",
    "class_weights_file",
    "command_line",
    "experiment_folder",
    "from_arguments",
    "full_name",
    "generate",
    "generated_pairs",
    "initial_weights",
    "is_untouched",
    "list_names",
    "look_up",
    "made_by",
    "prototxt_folder",
    "published_names",
    "regenerated",
    "signed_anew",
    "starts_from",
    "sum_lines",
    "target",
    "trained_weights",
    "write_files",
]
