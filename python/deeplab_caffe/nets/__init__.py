"""Generators of nets and solvers: functions from tops to tops that are composed, and a table of variants."""

from typing import TYPE_CHECKING

from ..lazy import import_on_use

if TYPE_CHECKING:
    from ..formats.signature import is_untouched, made_by, signed_anew
    from .blocks import Spec, Style
    from .generate import (
        check_options,
        experiment_folder,
        generate,
        list_names,
        lists_that_exist,
        prototxt_folder,
        trained_weights,
    )
    from .generated_files import (
        OPTIONAL,
        SUMS,
        WriteResult,
        backup_of,
        base_of,
        generated_pairs,
        regenerated,
        stated_command,
        sum_lines,
        write_files,
    )
    from .input_sizes import SizeRule
    from .kept_texts import forget_kept, keep
    from .ledger import ledger_page
    from .ledger_results import RESULTS, Result, append_results, read_results
    from .model_names import full_name, initial_weights, look_up, published_names, starts_from, target
    from .net_context import NetContext, Role, class_weights_file
    from .option_flags import add_arguments, command_line, flag_of, from_arguments
    from .options import GeneratorOptions
    from .published import (
        PublishedNumber,
        PublishedTable,
        other_output_stride,
        published_images,
        published_numbers,
        published_scores,
        published_tables,
    )
    from .solver_recipes import Recipe
    from .variant import Variant
    from .variants import FAMILIES, VARIANTS

__all__ = [
    "FAMILIES",
    "OPTIONAL",
    "RESULTS",
    "SUMS",
    "VARIANTS",
    "GeneratorOptions",
    "NetContext",
    "PublishedNumber",
    "PublishedTable",
    "Recipe",
    "Result",
    "Role",
    "SizeRule",
    "Spec",
    "Style",
    "Variant",
    "WriteResult",
    "add_arguments",
    "append_results",
    "backup_of",
    "base_of",
    "check_options",
    "class_weights_file",
    "command_line",
    "experiment_folder",
    "from_arguments",
    "flag_of",
    "forget_kept",
    "full_name",
    "generate",
    "generated_pairs",
    "initial_weights",
    "is_untouched",
    "keep",
    "ledger_page",
    "list_names",
    "lists_that_exist",
    "look_up",
    "made_by",
    "other_output_stride",
    "prototxt_folder",
    "published_images",
    "published_names",
    "published_numbers",
    "published_scores",
    "published_tables",
    "read_results",
    "regenerated",
    "signed_anew",
    "starts_from",
    "stated_command",
    "sum_lines",
    "target",
    "trained_weights",
    "write_files",
]

import_on_use(__name__)
