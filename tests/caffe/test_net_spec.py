"""net_spec behaves as pycaffe's: names, order, where keywords go, and what is refused."""

import pytest

from deeplab_caffe.caffe.net_spec import Function, NetSpec, Top, assign_proto, layers, param_name_dict, params, to_proto
from deeplab_caffe.formats import schema

L, P = layers, params


def described(net):
    """(name, type, bottoms, tops) per layer."""
    return [(layer.name, layer.type, list(layer.bottom), list(layer.top)) for layer in net.layer]


def test_what_a_layer_call_returns():
    assert isinstance(L.Input(), Top)
    data, label = L.ImageSegData(ntop=2)
    assert data.fn is label.fn and (data.n, label.n) == (0, 1)
    assert isinstance(L.Silence(data, ntop=0), Function)


@pytest.mark.parametrize("bottom", ["data", None, L.Silence(ntop=0), (L.Input(), L.Input())])
def test_bottoms_must_be_tops(bottom):
    with pytest.raises(TypeError, match=r"^ReLU input 0 is not a Top \(type is <class '.+'>\)$"):
        L.ReLU(bottom)


def test_names_from_attributes_and_items():
    n = NetSpec()
    n.data, n.label = L.ImageSegData(ntop=2)
    n["res/conv"] = L.Convolution(n.data, num_output=8, kernel_size=1)
    n.loss = L.SoftmaxWithLoss(n["res/conv"], n.label)
    n.quiet = L.Silence(n.label, ntop=0)
    assert described(n.to_proto()) == [
        ("data", "ImageSegData", [], ["data", "label"]),
        ("res/conv", "Convolution", ["data"], ["res/conv"]),
        ("loss", "SoftmaxWithLoss", ["res/conv", "label"], ["loss"]),
        ("quiet", "Silence", ["label"], []),
    ]


def test_automatic_names_count_per_type_from_one():
    conv = L.Convolution(L.Input(), num_output=1, kernel_size=1)
    pair = L.Eltwise(L.Convolution(conv, num_output=1, kernel_size=1), conv)
    silence = L.Silence(pair, ntop=0)
    assert [layer.name for layer in to_proto(silence).layer] == [
        "Input1",
        "Convolution1",
        "Convolution2",
        "Eltwise1",
        "Silence1",
    ]
    assert described(conv.to_proto())[-1] == ("Convolution1", "Convolution", ["Input1"], ["Convolution1"])


def test_a_second_top_that_has_no_name():
    n = NetSpec()
    n.data, _ = L.Data(ntop=2)
    assert described(n.to_proto()) == [("data", "Data", [], ["data", "Data1"])]


def test_in_place_layers_keep_their_own_name():
    n = NetSpec()
    n.conv = L.Convolution(L.Input(), num_output=1, kernel_size=1)
    n.relu = L.ReLU(n.conv, in_place=True)
    n.drop = L.Dropout(n.relu, in_place=True)
    n.fc = L.InnerProduct(n.drop, num_output=2)
    assert described(n.to_proto())[1:] == [
        ("conv", "Convolution", ["Input1"], ["conv"]),
        ("relu", "ReLU", ["conv"], ["conv"]),
        ("drop", "Dropout", ["conv"], ["conv"]),
        ("fc", "InnerProduct", ["conv"], ["fc"]),
    ]


def test_order_is_assignment_after_what_is_needed_and_the_rest_is_absent():
    n = NetSpec()
    late = L.Input()
    n.b = L.ReLU(late)
    n.a = L.ReLU(late)
    L.TanH(n.a)
    n.late = late
    assert [layer.name for layer in n.to_proto().layer] == ["late", "b", "a"]


def test_one_spec_gives_equal_protos_every_time():
    n = NetSpec()
    n.x = L.ReLU(L.Input())
    assert n.to_proto() == n.to_proto()


def test_where_keywords_go():
    top = L.Convolution(
        L.Input(),
        num_output=8,
        kernel_size=3,
        dilation=[2, 4],
        param=[{"lr_mult": 1}, {"lr_mult": 2, "name": "b"}],
        weight_filler={"type": "msra"},
        include={"phase": schema.TEST, "stage": ["deploy", "val"]},
        propagate_down=[True],
        loss_weight=0.5,
    )
    layer = top.to_proto().layer[1]
    wanted = schema.LayerParameter(name="Convolution1", type="Convolution", bottom=["Input1"], top=["Convolution1"])
    wanted.param.add(lr_mult=1)
    wanted.param.add(lr_mult=2, name="b")
    wanted.include.add(phase=schema.TEST, stage=["deploy", "val"])
    wanted.propagate_down.append(True)
    wanted.loss_weight.append(0.5)
    own = wanted.convolution_param
    own.num_output, own.weight_filler.type = 8, "msra"
    own.kernel_size.append(3)
    own.dilation.extend([2, 4])
    assert layer == wanted


def test_types_without_a_message_of_their_name():
    known = param_name_dict()
    assert known["ReLU"] == "relu" and known["Interp"] == "interp"
    assert not {"Deconvolution", "SoftmaxWithLoss", "ImageSegData"} & set(known)
    deconvolution = L.Deconvolution(L.Input(), convolution_param={"num_output": 2, "kernel_size": 4, "stride": 2})
    assert deconvolution.to_proto().layer[1].convolution_param.stride == [2]
    with pytest.raises(
        AttributeError, match=r"'Deconvolution1' \(Deconvolution\): no field 'num_output' in LayerParameter"
    ):
        L.Deconvolution(L.Input(), num_output=2).to_proto()


def test_a_given_name_wins():
    assert to_proto(L.ReLU(L.Input(), name="mine")).layer[1].name == "mine"


def test_unknown_fields_name_the_nearest():
    with pytest.raises(
        AttributeError, match="'num_outputs' in ConvolutionParameter or LayerParameter; did you mean 'num_output'"
    ):
        L.Convolution(L.Input(), num_outputs=8).to_proto()
    with pytest.raises(AttributeError, match="FillerParameter has no field 'stdev'"):
        L.Convolution(L.Input(), weight_filler={"stdev": 1}).to_proto()
    with pytest.raises(AttributeError, match="no field 'convolutionparam'"):
        L.Convolution(L.Input(), convolutionparam={}).to_proto()


def test_assign_proto():
    layer = schema.LayerParameter()
    assign_proto(layer, "top", "one")
    assign_proto(layer, "top", ["two", "three"])
    assign_proto(layer, "param", {"lr_mult": 0})
    assign_proto(layer, "input_param", {"shape": [{"dim": [1, 3]}, {"dim": 7}]})
    assign_proto(layer, "phase", P.Pooling.AVE)
    assert layer.top == ["one", "two", "three"] and layer.phase == 1
    assert [list(shape.dim) for shape in layer.input_param.shape] == [[1, 3], [7]]
    assert layer.param[0].HasField("lr_mult") and layer.param[0].lr_mult == 0


def test_parameters():
    assert (P.Pooling.MAX, P.Pooling.AVE, P.Eltwise.SUM, P.ImageData.PIXEL) == (0, 1, 1, 2)
    with pytest.raises(AttributeError, match="no message PoolinParameter"):
        _ = P.Poolin


def test_spec_as_a_container():
    n = NetSpec()
    n.a = L.Input()
    n["b"] = L.ReLU(n.a)
    assert n.b is n["b"] and list(n) == ["a", "b"] and "a" in n
    del n.b
    assert "b" not in n and len(n.to_proto().layer) == 1
    with pytest.raises(AttributeError, match="no top 'b'"):
        _ = n.b
    with pytest.raises(KeyError):
        _ = n["b"]
    for wrong in (5, [n.a, "a"]):
        with pytest.raises(TypeError, match="'c' is assigned .*a Top was wanted"):
            n.c = wrong


def test_several_tops_may_be_assigned_until_they_are_replaced():
    n = NetSpec()
    n.data = L.Input(shape={"dim": [1, 2]})
    n["parts"] = L.Slice(n.data, ntop=2)
    n.list = [n.data]
    with pytest.raises(TypeError, match="'parts' is 2 tops"):
        n.to_proto()
    first, second = n["parts"]
    n["parts"], n.list = first, L.ReLU(second)
    assert [layer.type for layer in n.to_proto().layer] == ["Input", "Slice", "ReLU"]
