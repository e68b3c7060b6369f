"""What these layers share: parameters from param_str, checks of shapes and labels, plain errors.

Written for Python 2.7 and 3 alike, against what pycaffe documents of a Python layer: setup, reshape, forward,
backward; param_str and phase; blobs with data, diff, shape and reshape. A layer does not know its own name there.
"""

from __future__ import absolute_import, division

import ast
import json

import numpy as np

import caffe

#: any number of bottoms or tops
MANY = 10**6
TRAIN, TEST = 0, 1


class LayerError(RuntimeError):
    """Invalid input in a net or its files; the message says what was given and what was expected."""


class Parameters(object):
    """The values of a layer's parameters as attributes; None for what is not stated and has no default."""


class PythonLayer(caffe.Layer):
    """Base of the layers: reads param_str, checks the number of bottoms and tops, then calls `prepare`.

    PARAMS: name -> (kind, default). A kind is int, float, bool, str, [int], [float], or a tuple of words of which one
    is stated. REQUIRED: the names that must be stated. BOTTOMS, TOPS: least and most.
    """

    PARAMS = {}
    REQUIRED = ()
    BOTTOMS = (1, 1)
    TOPS = (1, 1)

    def setup(self, bottom, top):
        for what, blobs, (least, most) in (("bottom", bottom, self.BOTTOMS), ("top", top, self.TOPS)):
            if not least <= len(blobs) <= most:
                wanted = str(least) if least == most else "%d or more" % least
                wanted = wanted if most in (least, MANY) else "%d to %d" % (least, most)
                self.refuse("has %d %ss, expected %s" % (len(blobs), what, wanted))
        self.p = self._read_parameters()
        self.prepare(bottom, top)

    def prepare(self, bottom, top):
        """Check the parameters and create what lasts; called once."""

    def backward(self, top, propagate_down, bottom):
        if any(propagate_down[i] for i in range(len(propagate_down))):
            self.refuse("has no gradient; state propagate_down: false for each of its bottoms")

    def refuse(self, message):
        """Raise an error that names the layer: by its class, and where the engine tells more by its name and place."""
        message = "deeplab_layers.%s: %s" % (type(self).__name__, message)
        if hasattr(caffe.Layer, "fail"):
            caffe.Layer.fail(self, message)
        raise LayerError(message)

    def phase_now(self):
        """TRAIN or TEST. The pycaffe of 2015 does not tell; there "phase" in param_str does."""
        stated = getattr(self.p, "phase", None)
        if stated is not None:
            return TRAIN if stated == "TRAIN" else TEST
        phase = getattr(self, "phase", None)
        if phase is None:
            self.refuse("this pycaffe does not tell the phase; state it in param_str: {'phase': 'TRAIN'} or 'TEST'")
        return int(phase)

    # -- parameters

    def _read_parameters(self):
        stated = self._parse(getattr(self, "param_str", None) or getattr(self, "param_str_", None) or "{}")
        result = Parameters()
        for name, (_, default) in self.PARAMS.items():
            setattr(result, name, list(default) if isinstance(default, list) else default)
        for name in sorted(stated):
            if name not in self.PARAMS:
                known = ", ".join(sorted(self.PARAMS)) or "none"
                self.refuse("param_str has %r, which is not a parameter (known: %s)" % (str(name), known))
            setattr(result, name, self._converted(name, stated[name], self.PARAMS[name][0]))
        for name in self.REQUIRED:
            if name not in stated:
                self.refuse("param_str lacks '%s'" % name)
        return result

    def _parse(self, text):
        """param_str as a dict: JSON, or a literal of Python's."""
        try:
            stated = json.loads(text)
        except ValueError:
            try:
                stated = ast.literal_eval(text.strip())
            except (ValueError, SyntaxError):
                stated = None
        if not isinstance(stated, dict):
            self.refuse("param_str is %r, expected JSON or a Python dict, as {\"name\": value}" % str(text))
        return stated

    def _converted(self, name, value, kind):
        if isinstance(kind, list):
            values = value if isinstance(value, (list, tuple)) else [value]
            return [self._converted(name, item, kind[0]) for item in values]
        if isinstance(kind, dict):
            return self._filler(name, value, kind)
        if isinstance(kind, tuple) and value in kind:
            return str(value)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if kind is int and number and int(value) == value:
            return int(value)
        if kind is float and number:
            return float(np.float32(value))  # as Caffe's messages hold it
        if kind is bool and isinstance(value, bool):
            return value
        if kind is str and hasattr(value, "encode"):
            return native(value)
        wanted = {int: "a whole number", float: "a number", bool: "true or false", str: "a string"}
        wanted = wanted.get(kind) if not isinstance(kind, tuple) else "one of " + ", ".join(kind)
        self.refuse("param_str has %s: %r, expected %s" % (name, value, wanted))

    def _filler(self, name, value, kind):
        """A dict of its own, as a filler's."""
        if not isinstance(value, dict) or set(value) - set(kind):
            self.refuse("param_str has %s: %r, expected a dict of %s" % (name, value, ", ".join(sorted(kind))))
        return {str(key): self._converted(name, value[key], kind[key]) for key in value}

    # -- checks

    def shape4(self, blob, what="bottom"):
        """The shape (N, C, H, W) of a blob."""
        shape = shape_of(blob)
        if len(shape) != 4:
            self.refuse("%s %s has %d axes, expected 4 (N, C, H, W)" % (what, shape, len(shape)))
        return shape

    def valid_labels(self, labels, classes, ignored):
        """Where integer labels are not ignored; an error if one of those is no class."""
        valid = np.ones(labels.shape, bool)
        for value in ignored:
            valid &= labels != value
        wrong = valid & ((labels < 0) | (labels >= classes))
        if wrong.any():
            place = int(np.flatnonzero(wrong)[0])
            item = place // max(1, labels.size // max(1, labels.shape[0]))
            shown = ", ".join(str(i) for i in ignored) or "none"
            self.refuse(
                "item %d has the label %d, which is neither one of the %d classes (0 to %d) nor ignored (%s)"
                % (item, labels.flat[place], classes, classes - 1, shown)
            )
        return valid


def shape_of(blob):
    """A blob's shape as a tuple of ints, without touching its memory."""
    return tuple(int(d) for d in blob.shape)


def native(text):
    """A text as the `str` of this Python; bytes in UTF-8 where that is Python 2."""
    return text if isinstance(text, str) else text.encode("utf-8")


def integers(blob):
    """A blob's values truncated to integers, as Caffe reads labels."""
    return blob.data.astype(np.int64)
