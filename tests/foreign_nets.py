"""Small nets and solvers as other Caffes write them: types, fields and words that this package lacks.

Each is written for these tests, after what public files of that Caffe state; none is copied.
"""

from __future__ import annotations

CONV = 'layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { %s } }\n'
DATA = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 9, 9] } } }\n'
_SIZES = "num_output: 4 kernel_size: 3 pad: 1"

NETS = {
    "detector": f"""name: "boxes"  # a detector
layer {{
  name: "data" type: "BoxedFooData" top: "data" top: "label" include {{ phase: TRAIN }}
  transform_param {{
    mean_value: 127.5
    resize_param {{ prob: 1 resize_mode: WARP height: 30 width: 30 interp_mode: LINEAR interp_mode: AREA }}
    distort_param {{ hue_prob: 0.5 hue_delta: 18 }}
    expand_param {{ prob: 0.5 max_expand_ratio: 4 }}
  }}
  data_param {{ source: "lmdb/" batch_size: 2 backend: LMDB }}
  boxed_foo_data_param {{ batch_sampler {{ max_trials: 50 sampler {{ min_scale: 0.3 }} }} }}
}}
{CONV % _SIZES}layer {{ name: "norm" type: "FooNorm" bottom: "conv" top: "norm" foo_norm_param {{ across: false }} }}
layer {{
  name: "head" type: "Convolution" bottom: "norm" top: "head" convolution_param {{ num_output: 8 kernel_size: 3 }}
}}
layer {{ name: "loss" type: "FooBoxLoss" bottom: "head" bottom: "label" top: "loss" include {{ phase: TRAIN }} }}
""",
    "regions": f"""input: "data"
input_shape {{ dim: 1 dim: 3 dim: 9 dim: 9 }}
{CONV % _SIZES}layer {{
  name: 'proposal' type: 'Python' bottom: 'conv' top: 'rois'
  python_param {{ module: 'mnc.stage_layer' layer: 'StageLayer' param_str: "'feat_stride': 16" }}
}}
layer {{ name: "roi" type: "FooROI" bottom: "conv" bottom: "rois" top: "roi" foo_roi_param {{ pooled_w: 6 }} }}
layer {{ name: "fc" type: "InnerProduct" bottom: "roi" top: "fc" inner_product_param {{ num_output: 2 }} }}
layer {{ name: "drop" type: "Dropout" bottom: "fc" top: "fc" dropout_param {{ scale_train: false }} }}
""",
    "video": """layer {
  name: "data" type: "FooVideo" top: "data" foo_video_param { new_length: 1 modality: RGB name_pattern: "img_%05d.jpg" }
  transform_param { crop_size: 9 fix_crop: true scale_ratios: [1, .875, .75] mean_value: [104, 117, 123] }
}
"""
    + CONV % "num_output: 4 kernel_size: 3 kernel_depth: 3 temporal_pad: 1",
    "nvidia": f"""default_forward_type: FLOAT16
default_forward_math: FLOAT
{DATA}{CONV % (_SIZES + " cudnn_convolution_algo_seeker: FINDEX")}layer {{
  name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" forward_type: FLOAT
  batch_norm_param {{ scale_bias: true scale_filler {{ value: 1 }} eps: 0.0001 }}
}}
""",
    "intel": f"""engine: "MKLDNN"
bn_stats_batch_size: 32
{DATA}{CONV % (_SIZES + " engine: MKL2017 relu: true")}layer {{
  name: "pool" type: "Pooling" engine: "CAFFE" bottom: "conv" top: "pool"
  pooling_param {{ pool: MAX kernel_size: 2 stride: 2 ceil_mode: false }}
}}
""",
    "faces": f"""{DATA}layer {{
  name: "id" type: "Parameter" top: "id"
  parameter_param {{ shape {{ dim: [10, 5] }} blob_filler {{ type: "gaussian" }} }}
}}
layer {{ name: "far" type: "InnerFar" bottom: "data" bottom: "id" top: "far" inner_product_param {{ far_type: "L2" }} }}
layer {{ name: "acc" type: "Accuracy" bottom: "far" bottom: "id" top: "acc" accuracy_param {{ min_is_better: false }} }}
""",
    "of_2014": """name: "old"
layers { name: "data" type: MEMORY_DATA top: "data" top: "label"
  memory_data_param { batch_size: 1 channels: 3 height: 8 width: 8 } }
layers { bottom: "data" top: "conv" name: "conv" type: CONVOLUTION   # as written
  blobs_lr: 1 blobs_lr: 2 weight_decay: 1 weight_decay: 0
  convolution_param { num_output: 4 pad: 1 kernel_size: 3 } }
layers { bottom: 'conv' top: 'conv' name: 'bn' type: BN
  bn_param { scale_filler { type: 'constant' value: 1 } shift_filler { type: 'constant' value: 0.001 } } }
layers { bottom: "conv" top: "pool" top: "mask" name: "pool" type: POOLING
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layers { type: UNFOOLING bottom: "pool" bottom: "mask" top: "unpool" name: "unpool"
  unfooling_param { unpool: MAX kernel_size: 2 stride: 2 unpool_size: 8 } }
layers { bottom: "unpool" top: "out" name: "out" type: DECONVOLUTION
  convolution_param { num_output: 2 kernel_size: 3 foo_mode: 1 } }
""",
    "deeplab_2014": """layers { name: "data" type: IMAGE_SEG_DATA top: "data" top: "label" include: { phase: TRAIN }
  image_data_param { source: "list.txt" label_type: PIXEL batch_size: 2 new_width: 25 new_height: 25 }
  transform_param { crop_size: 9 mean_value: 104 mean_value: 117 mean_value: 123 } }
layers { name: "c" type: CONVOLUTION bottom: "data" top: "c"
  convolution_param { num_output: 2 kernel_size: 1 hole: 2 } }
layers { name: "u" type: UNFOOLING bottom: "c" top: "u" unfooling_param { stride: 2 } }
layers { name: "loss" type: SOFTMAX_LOSS bottom: "u" bottom: "label" softmaxloss_param { ignore_label: 255 } }
""",
    "label_map": 'item { name: "none" label: 0 display_name: "background" }\nitem { name: "cat" label: 1 }\n',
}  # fmt: skip

_SOLVER = 'train_net: "{net}"\nbase_lr: 0.001\nlr_policy: "step"\ngamma: 0.1\nstepsize: 30000\nsnapshot_prefix: "x"\n'
SOLVERS = {
    "stepped": _SOLVER + "snapshot: 0\naverage_loss: 100\n",
    "evaluating": _SOLVER + 'max_iter: 10\neval_type: "detection"\nap_version: "11point"\n',
    "warm": _SOLVER + "max_iter: 10\nwarmup_iter: 936\nwarmup_start_lr: 0.1\n",
    "nvidia": _SOLVER + 'max_iter: 10\nlarc: true\nlarc_policy: "clip"\nmin_lr: 1e-5\n',
    "several_devices": _SOLVER + "max_iter: 10\ndevice_id: [0, 1, 2, 3]\nrichness: 200\n",
    "own_net": "base_lr: 0.1\nlr_policy: 'fixed'\nmax_iter: 1\ntrain_net_param {\n"
    "layers { name: 'd' type: DUMMY_DATA top: 'd' dummy_data_param { num: 1 channels: 2 height: 3 width: 3 } }\n"
    "layers { name: 'c' type: CONCAT bottom: 'd' bottom: 'd' top: 'c' concat_param { concat_dim: 1 } }\n"
    "layers { name: 'f' type: FOO_BAR bottom: 'c' top: 'f' foo_param { x: 1 } blobs_lr: 1 }\n}\n",
}  # fmt: skip
