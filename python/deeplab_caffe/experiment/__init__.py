"""One experiment: its folder, its stages from data to report, and the pipeline that runs them."""

from typing import TYPE_CHECKING

from ..lazy import import_on_use

if TYPE_CHECKING:
    from .create import demo, published
    from .folder import Experiment
    from .ledger import ledger_results
    from .merging import Merging
    from .pipeline import STAGES, lock, run
    from .report_pictures import check_shown
    from .settings import remember
    from .stages.prototxt import write_prototxt

__all__ = [
    "STAGES",
    "Experiment",
    "Merging",
    "check_shown",
    "demo",
    "ledger_results",
    "lock",
    "published",
    "remember",
    "run",
    "write_prototxt",
]

import_on_use(__name__)
