"""Generators of nets and solvers: composed functions from tops to tops, and a table of variants."""

from .arguments import add_arguments, command_line, from_arguments
from .blocks import Spec, Style
from .generate import experiment_folder, generate, list_names, prototxt_folder
from .names import full_name, initial_weights, published_names, starts_from, target
from .options import Options
from .regenerate import regenerated
from .setting import Role, Setting
from .sizes import SizeRule
from .solvers import Recipe
from .variant import Score, Variant
from .variants import FAMILIES, VARIANTS
from .write import Written, is_untouched, made_by, signed_anew, write_files

__all__ = [
    "FAMILIES",
    "VARIANTS",
    "Options",
    "Recipe",
    "Role",
    "Score",
    "Setting",
    "SizeRule",
    "Spec",
    "Style",
    "Variant",
    "Written",
    "add_arguments",
    "command_line",
    "experiment_folder",
    "from_arguments",
    "full_name",
    "generate",
    "initial_weights",
    "is_untouched",
    "list_names",
    "made_by",
    "prototxt_folder",
    "published_names",
    "regenerated",
    "signed_anew",
    "starts_from",
    "target",
    "write_files",
]
