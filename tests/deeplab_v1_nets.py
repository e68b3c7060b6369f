"""Nets of DeepLab's first release, written from the recipes in its own dialect and in today's.

A layer is a row: type in the release's spelling, name, bottoms, tops, parameters in the release's words, and how it
learns. `width` divides the numbers of channels, so that a net is small enough to run in a test.
"""

from __future__ import annotations

from dataclasses import dataclass

#: the release's type → today's, of the types that the recipes use
TODAY = {
    "IMAGE_SEG_DATA": "ImageSegData", "CONVOLUTION": "Convolution", "RELU": "ReLU", "POOLING": "Pooling",
    "DROPOUT": "Dropout", "INTERP": "Interp", "SOFTMAX_LOSS": "SoftmaxWithLoss", "SEG_ACCURACY": "SegAccuracy",
    "MAT_WRITE": "MatWrite", "SILENCE": "Silence", "PADDING": "Padding", "ELTWISE": "Eltwise",
    "UNIQUE_LABEL": "UniqueLabel", "ADAPTIVE_BIAS_CHANNEL": "AdaptiveBiasChannel", "ARGMAX": "ArgMax",
    "DENSE_CRF": "DenseCRF", "BIAS_CHANNEL": "BiasChannel", "CONCAT": "Concat", "SLICE": "Slice",
}  # fmt: skip
#: the release's words → today's
WORDS = {
    "hole:": "dilation:", "softmaxloss_param": "loss_param", "has_label: false": "label_type: NONE",
    "top_k: 1": "top_k: 1 axis: 1",
}  # fmt: skip
GAUSS = 'weight_filler {{ type: "gaussian" std: {} }} bias_filler {{ type: "constant" value: 0 }}'
MEANS = "mean_value: 104.008 mean_value: 116.669 mean_value: 122.675"


@dataclass
class Row:
    kind: str
    name: str
    bottoms: str
    tops: str
    body: str = ""
    learning: tuple[float, ...] = ()  # lr of weights and bias, then decay
    phase: str = ""

    def old(self) -> str:
        lists = zip(("blobs_lr", "blobs_lr", "weight_decay", "weight_decay"), self.learning, strict=False)
        numbers = " ".join(f"{name}: {value}" for name, value in lists)
        return f"layers {{\n{self._common(self.kind)} {numbers} {self.body}\n}}"

    def new(self) -> str:
        body = self.body
        for word, today in WORDS.items():
            body = body.replace(word, today)
        halves = zip(self.learning[:2], self.learning[2:], strict=True)
        params = " ".join(f"param {{ lr_mult: {lr} decay_mult: {decay} }}" for lr, decay in halves)
        if self.kind == "SOFTMAX_LOSS" and "estep" in self.bottoms:  # labels made from the scores
            params = "propagate_down: true propagate_down: false"
        kind = f'"{TODAY[self.kind]}"'
        return f"layer {{\n{self._common(kind)} {params} {body}\n}}"

    def _common(self, kind: str) -> str:
        ends = [f'bottom: "{b}"' for b in self.bottoms.split()] + [f'top: "{t}"' for t in self.tops.split()]
        phase = f"include {{ phase: {self.phase} }}" if self.phase else ""
        return f'name: "{self.name}" type: {kind} {" ".join(ends)} {phase}'


def old_text(rows: list[Row]) -> str:
    return "\n".join(row.old() for row in rows)


def new_text(rows: list[Row]) -> str:
    return "\n".join(row.new() for row in rows)


def data(tops: str, source: str, root: str, image: str, transform: str, phase: str = "TRAIN") -> Row:
    body = f'transform_param {{ {transform} {MEANS} }} image_data_param {{ source: "{source}" root_folder: "{root}"'
    return Row("IMAGE_SEG_DATA", "data", "", tops, f"{body} {image} }}", phase=phase)


def conv(name: str, bottom: str, body: str, learning: tuple[float, ...] = (1, 2, 1, 0), strict: bool = True) -> Row:
    flag = "" if strict else "strict_dim: false "
    return Row("CONVOLUTION", name, bottom, name, f"{flag}convolution_param {{ {body} }}", learning)


def pool(name: str, bottom: str, body: str) -> Row:
    return Row("POOLING", name, bottom, name, f"pooling_param {{ {body} }}")


def relu(name: str, blob: str) -> Row:
    return Row("RELU", name, blob, blob)


def trunk(pools: list[str], learning: tuple[float, ...], width: int = 1, branches: bool = False) -> list[Row]:
    """VGG-16's thirteen convolutions; `pools`: the parameters of pool1 to pool5."""
    rows: list[Row] = branch("data", 8, width) if branches else []
    bottom = "data"
    for block, count in enumerate((2, 2, 3, 3, 3), 1):
        for i in range(1, count + 1):
            name, channels = f"conv{block}_{i}", min(64 << (block - 1), 512) // width
            shape = "pad: 2 kernel_size: 3 hole: 2" if block == 5 else "pad: 1 kernel_size: 3"
            rows += [conv(name, bottom, f"num_output: {channels} {shape}", learning), relu(f"relu{block}_{i}", name)]
            bottom = name
        rows.append(pool(f"pool{block}", bottom, pools[block - 1]))
        bottom = f"pool{block}"
        if branches and block < 5:
            rows += branch(bottom, (4, 2, 1, 1)[block - 1], width)
    return rows


def branch(x: str, stride: int, width: int) -> list[Row]:
    """A side branch of MSc; its fillers are those of most branches."""
    rows: list[Row] = []
    bottom, channels = x, 128 // width
    for part, shape in (("conv", f"kernel_size: 3 stride: {stride} pad: 1"), ("fc", "kernel_size: 1")):
        name = f"{x}_{part}"
        rows += [
            conv(name, bottom, f"num_output: {channels} {shape} {GAUSS.format(0.001)}", (1, 2, 1, 0)),
            relu(f"relu_{name}", name),
            Row("DROPOUT", f"drop_{name}", name, name, "dropout_param { dropout_ratio: 0.5 }"),
        ]
        bottom = name
    return [*rows, conv(f"{x}_ms", bottom, f"num_output: 21 kernel_size: 1 {GAUSS.format(0.01)}", (1, 2, 1, 0))]


def head(bottom: str, fc6: str, fc7: str, learning: tuple[float, ...], strict: bool) -> list[Row]:
    rows = []
    for i, shape in ((6, fc6), (7, fc7)):
        rows += [
            conv(f"fc{i}", bottom, shape, learning, strict),
            relu(f"relu{i}", f"fc{i}"),
            Row("DROPOUT", f"drop{i}", f"fc{i}", f"fc{i}", "dropout_param { dropout_ratio: 0.5 }"),
        ]
        bottom = f"fc{i}"
    return rows


_K2 = ["pool: MAX kernel_size: 2 stride: 2 pad: 1"] * 3
_K3 = ["pool: MAX kernel_size: 3 stride: 2 pad: 1"] * 3 + ["pool: MAX kernel_size: 3 stride: 1 pad: 1"] * 2
_PLAIN = (1, 2, 1, 0)
_FC8 = f"num_output: 21 kernel_size: 1 {GAUSS.format(0.01)}"


def shrink(bottom: str = "label", beginning: int = 0) -> Row:
    body = f"interp_param {{ shrink_factor: 8 pad_beg: {beginning} pad_end: 0 }}"
    return Row("INTERP", "label_shrink", bottom, "label_shrink", body)


def loss(scores: str, labels: str = "label_shrink") -> Row:
    body = "softmaxloss_param { ignore_label: 255 }"
    return Row("SOFTMAX_LOSS", "loss", f"{scores} {labels}", "", body, phase="TRAIN")


def accuracy(scores: str) -> Row:
    body = "seg_accuracy_param { ignore_label: 255 }"
    return Row("SEG_ACCURACY", "accuracy", f"{scores} label_shrink", "accuracy", body)


def mat_write(name: str, bottom: str, prefix: str, source: str) -> Row:
    body = f'mat_write_param {{ prefix: "{prefix}" source: "{source}" strip: 0 period: 1 }}'
    return Row("MAT_WRITE", name, bottom, "", body, phase="TEST")


def large_fov(learning: tuple[float, ...], strict: bool, width: int = 1) -> list[Row]:
    """From data to fc7 and its dropout."""
    fc6, fc7 = (f"num_output: {1024 // width} {s}" for s in ("pad: 12 kernel_size: 3 hole: 12", "kernel_size: 1"))
    average = pool("pool5a", "pool5", "pool: AVE kernel_size: 3 stride: 1 pad: 1")
    return [*trunk(_K3, learning, width), average, *head("pool5a", fc6, fc7, learning, strict)]


def large_fov_train(first: Row, width: int = 1) -> list[Row]:
    fc8 = conv("fc8_voc12", "fc7", _FC8, (10, 20, 1, 0))
    ends = [fc8, shrink(), loss("fc8_voc12"), accuracy("fc8_voc12")]
    return [first, *large_fov(_PLAIN, True, width), *ends]


def large_fov_test(first: Row, prefix: str, ids: str, width: int = 1) -> list[Row]:
    return [
        first,
        *large_fov((), False, width),
        conv("fc8_voc12", "fc7", "num_output: 21 kernel_size: 1", (), False),
        Row("INTERP", "fc8_interp", "fc8_voc12", "fc8_interp", "interp_param { zoom_factor: 8 }"),
        mat_write("fc8_mat", "fc8_interp", prefix, ids),
        Row("SILENCE", "silence", "label", "", phase="TEST"),
    ]


def full_head(bottom: str, width: int) -> list[Row]:
    fc6, fc7 = (f"num_output: {4096 // width} {s}" for s in ("pad: 6 kernel_size: 4 hole: 4", "kernel_size: 1"))
    return head(bottom, fc6, fc7, _PLAIN, False)


def deeplab_train(first: Row, width: int = 1) -> list[Row]:
    pools = [*_K2, "pool: MAX kernel_size: 2 stride: 1", "pool: MAX kernel_size: 3 stride: 1 pad: 1"]
    fc8 = conv("fc8_pascal", "fc7", _FC8, (10, 20, 1, 0), False)
    ends = [fc8, shrink(beginning=-1), loss("fc8_pascal"), accuracy("fc8_pascal")]
    return [first, *trunk(pools, _PLAIN, width), *full_head("pool5", width), *ends]


def deeplab_test(first: Row, width: int = 1) -> list[Row]:
    pools = [*_K2, "pool: MAX kernel_size: 2 stride: 1 pad: 1", "pool: MAX kernel_size: 3 stride: 1 pad: 1"]
    return [
        first,
        *trunk(pools, _PLAIN, width),
        *full_head("pool5", width),
        conv("fc8_pascal", "fc7", _FC8, (10, 20, 1, 0), False),
        Row("INTERP", "fc8_interp", "fc8_pascal", "fc8_interp", "interp_param { zoom_factor: 8 }"),
        Row("PADDING", "fc8_crop", "fc8_interp", "fc8_crop", "padding_param { pad_beg: -7 pad_end: -8 }"),
    ]


def msc_train(first: Row, width: int = 1) -> list[Row]:
    maps = "data_ms pool1_ms pool2_ms pool3_ms pool4_ms fc8_pascal"
    return [
        first,
        *trunk(_K3, (0, 0, 0, 0), width, branches=True),
        *full_head("pool5", width),
        conv("fc8_pascal", "fc7", _FC8, _PLAIN, False),
        Row("ELTWISE", "fc_fusion", maps, "fc_fusion", "eltwise_param { operation: SUM }"),
        shrink(),
        loss("fc_fusion"),
        accuracy("fc_fusion"),
    ]


def weak_em_adapt_train(first: Row, width: int = 1) -> list[Row]:
    unique = "unique_label_param { max_labels: 10 ignore_label: 255 }"
    bias = (
        "adaptive_bias_channel_param { bg_portion: 0.4 fg_portion: 0.2 num_iter: 5 suppress_others: true "
        "margin_others: 1e-5 }"
    )
    return [
        first,
        Row("UNIQUE_LABEL", "label_weak", "label_strong", "label_weak", unique, phase="TRAIN"),
        *trunk(_K3, _PLAIN, width),
        *full_head("pool5", width),
        conv("fc8_voc12", "fc7", _FC8, (10, 20, 1, 0), False),
        Row("ADAPTIVE_BIAS_CHANNEL", "fc8_biased", "fc8_voc12 label_weak", "fc8_biased", bias),
        Row("ARGMAX", "label_estep", "fc8_biased", "label_estep", "argmax_param { out_max_val: false top_k: 1 }"),
        loss("fc8_voc12", "label_estep"),
        shrink("label_strong"),
        accuracy("fc8_voc12"),
    ]


def semi_bbox_tail() -> list[Row]:
    """LargeFOV-Semi-Bbox-Fixed around its trunk, of which the classifier is left."""
    bias = "bias_channel_param { bg_bias: 5 fg_bias: 6 ignore_label: 255 label_type: PIXEL }"
    return [
        Row("CONCAT", "both", "strong bbox", "both", "concat_param { concat_dim: 0 }"),
        conv("fc8", "both", _FC8),
        Row("SLICE", "slice", "fc8", "fc8_strong fc8_bbox", "slice_param { slice_dim: 0 slice_point: 2 }"),
        Row("BIAS_CHANNEL", "fc8_biased", "fc8_bbox label", "fc8_biased", bias),
        Row("ARGMAX", "estep", "fc8_biased", "estep", "argmax_param { out_max_val: false top_k: 1 }"),
        loss("fc8_bbox", "estep"),
    ]
