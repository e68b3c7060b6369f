"""Upgrade SegNet's class weights: `class_weighting` in the loss_param of a SoftmaxWithLoss.

Its loss is Σ −w[label] log p[label] over the pixels that are not ignored, divided by their number: that of an
InfogainLoss whose matrix H has the weights on its diagonal. The matrix is a file that is written beside the net.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from .edits import Edits
from .infogain import write_diagonal
from .scalar_values import number_of
from .tree import Block, Field, Scalar
from .upgrade_report import Upgrade
from .upgrade_text_steps import TextUpgrade

_WEIGHTS, _SWITCH = "class_weighting", "weight_by_label_freqs"
_TYPES = {"SoftmaxWithLoss": '"InfogainLoss"', "SOFTMAX_LOSS": "INFOGAIN_LOSS"}
_TRUE, _FALSE = ("true", "t", "True", "1"), ("false", "f", "False", "0")
_LARGEST = 3.4028234663852886e38  # of float32, which the matrix has


def upgrade_class_weights(upgrade: TextUpgrade, edits: Edits) -> None:
    """Rewrite each loss with class weights; the weights go to `upgrade.matrices`.

    Raises:
        InputError: the matrix has no place, since the new net is not written to a file, or a weight is no number.
    """
    for net in upgrade.nets():
        for layer in [*net.all("layer"), *net.all("layers")]:
            if isinstance(layer.value, Block) and layer.value.text_of("type") in _TYPES:
                _Loss(upgrade, edits, layer.value).rewrite()


def write_matrices(upgrade: Upgrade) -> None:
    """Write the matrices that an upgraded net reads."""
    for path, weights in upgrade.matrices.items():
        write_diagonal(path, weights)


class _Loss:
    """A SoftmaxWithLoss during its upgrade."""

    def __init__(self, upgrade: TextUpgrade, edits: Edits, layer: Block) -> None:
        self.upgrade, self.edits, self.layer = upgrade, edits, layer
        self.name = layer.text_of("name") or "loss"

    def rewrite(self) -> None:
        param = self.layer.last("loss_param")
        if param is None or not isinstance(param.value, Block):
            return
        weights, switches = param.value.all(_WEIGHTS), param.value.all(_SWITCH)
        if not weights and not switches:
            return
        stated = param.value.text_of(_SWITCH) or "false"
        if stated not in (*_TRUE, *_FALSE):
            raise self._error(switches[-1], f"{_SWITCH}: expected true or false but got {stated}")
        if stated in _FALSE:
            self._remove(param, [*switches, *weights], f"not used without {_SWITCH}: true")
            return
        if not weights:
            raise self._error(switches[-1], f"{_SWITCH} is true, but there is no {_WEIGHTS}; give one for each class")
        source = self._source(weights[0])
        self.upgrade.matrices[source] = [self._number(field) for field in weights]
        self._normalization(param)
        self._remove(param, [*switches, *weights], f"in {source}")
        self._change_type(source)

    def _source(self, field: Field) -> str:
        beside = self.upgrade.beside
        if beside is None:
            raise self._error(
                field, f"{_WEIGHTS} becomes the matrix of an InfogainLoss, a file beside the net: give -o OUT"
            )
        names = [Path(path).stem for path in self.upgrade.matrices]
        name = f"{beside.stem}_{self.name.replace('/', '_')}_weights"
        number = next(n for n in range(len(names) + 1) if (f"{name}{n or ''}") not in names)
        return (beside.parent / f"{name}{number or ''}.binaryproto").as_posix()

    def _number(self, field: Field) -> float:
        value = number_of(field.value.text) if isinstance(field.value, Scalar) and not field.value.quoted else None
        if value is None or not 0 <= value <= _LARGEST:
            raise self._error(field, f"{_WEIGHTS}: expected a number, 0 or more")
        return value

    def _normalization(self, param: Field) -> None:
        """InfogainLoss has `normalization`, whose default is VALID, but not the older `normalize`."""
        assert isinstance(param.value, Block)
        stated = param.value.last("normalize")
        if stated is None:
            return
        if param.value.last("normalization") or param.value.text_of("normalize") in _TRUE:
            self._remove(param, [stated], "the normalization says it, by default VALID")
            return
        self.upgrade.log(stated.start, self.name, self.edits.source(stated), "normalization: BATCH_SIZE")
        self.edits.put(stated, "normalization: BATCH_SIZE")

    def _change_type(self, source: str) -> None:
        kind, softmax = self.layer.last("type"), self.layer.last("softmax_param")
        assert kind is not None and isinstance(kind.value, Scalar)
        new = _TYPES[kind.value.text]
        self.upgrade.log(kind.start, self.name, self.edits.source(kind), f"type: {new}")
        self.edits.set_value(kind, new)
        axis = softmax.value.text_of("axis") if softmax and isinstance(softmax.value, Block) else None
        quoted = source.replace("\\", "\\\\").replace('"', '\\"')
        stated = [f'source: "{quoted}"', *([f"axis: {axis}"] if axis else [])]
        text = f"infogain_loss_param {{ {' '.join(stated)} }}"
        place = softmax or self.layer.fields[-1]
        self.upgrade.log(place.start, self.name, self.edits.source(softmax) if softmax else "", text)
        if softmax:
            self.edits.put(softmax, text)
        else:
            self.edits.insert_after(kind, text)

    def _remove(self, param: Field, fields: list[Field], why: str) -> None:
        """Remove fields of the loss_param, and that itself if nothing else is in it."""
        assert isinstance(param.value, Block)
        left = [f for f in param.value.fields if f not in fields and f.name not in (_WEIGHTS, _SWITCH)]
        names = " ".join(dict.fromkeys(field.name for field in fields))
        self.upgrade.log(fields[0].start, self.name, f"{names}: …", "", why)
        if not left:
            self.edits.remove(param)
            return
        for start, end in dict.fromkeys((f.listed or (f.start, f.end)) for f in fields):
            self.edits.cut(start, end)

    def _error(self, field: Field, text: str) -> InputError:
        return InputError(f"{self.upgrade.where(field.start)}: layer '{self.name}': {text}")
