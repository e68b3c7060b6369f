"""From ONNX back to Caffe: a model's nodes as layers of BVLC's types, its weights as a `.caffemodel`.

`model` reads and simplifies the model, `net` builds the Caffe net, `arithmetic`, `cuts`, `depth`, `elementwise`,
`matrices`, `resizing` and `windows` have a function for each operator (`registry`: their table; `lines`: signals of one
axis), `convert` puts these together, `verification` compares every blob with onnxruntime's.
"""

from typing import TYPE_CHECKING

from ...lazy import import_on_use

if TYPE_CHECKING:
    from .convert import Imported, import_onnx, import_torch
    from .verification import verify_import

__all__ = ["Imported", "import_onnx", "import_torch", "verify_import"]

import_on_use(__name__)
