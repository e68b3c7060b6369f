"""Small nets for the tests of the language server."""

DATA = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 33, 33] } } }\n'
CONV = (
    'layer {\n  name: "fc6"\n  type: "Convolution"\n  bottom: "data"\n  top: "fc6"\n'
    "  convolution_param { num_output: 8 kernel_size: 3 pad: 12 dilation: 12 }\n}\n"
)
NET = DATA + CONV
