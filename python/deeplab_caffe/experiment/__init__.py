"""One experiment: its folder, its stages from data to report, and the pipeline that runs them."""

from typing import TYPE_CHECKING

from ..lazy import import_on_use

if TYPE_CHECKING:
    from .create import demo, published
    from .folder import Experiment
    from .ledger import ledger_results
    from .pipeline import STAGES, lock, run

__all__ = ["STAGES", "Experiment", "demo", "ledger_results", "lock", "published", "run"]

import_on_use(__name__)
