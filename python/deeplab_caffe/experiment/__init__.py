"""One experiment: its folder, its stages from data to report, and the pipeline that runs them."""

from typing import TYPE_CHECKING

from ..lazy import import_on_use

if TYPE_CHECKING:
    from .class_weights import write_class_weights
    from .create import demo, published
    from .folder import Experiment
    from .ledger import ledger_results
    from .pipeline import STAGES, lock, run
    from .report_pictures import check_shown
    from .settings import remember

__all__ = [
    "STAGES",
    "Experiment",
    "check_shown",
    "demo",
    "ledger_results",
    "lock",
    "published",
    "remember",
    "run",
    "write_class_weights",
]

import_on_use(__name__)
