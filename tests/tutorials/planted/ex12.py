"""Mistakes for exercise 12."""

from mistakes import Planted

SHAPE = "espcn_forward: shape"
VALUES = "espcn_forward: values"
ODD = "espcn_forward: odd inputs"
BACK = "espcn_backward: values"
BACK_ODD = "espcn_backward: odd inputs"

FORWARD = """        weight = params[f"{name}.weight"]
        return conv2d_forward(inputs, weight, params[f"{name}.bias"], weight.shape[2] // 2)"""
H1 = 'h1 = np.tanh(convolve(x, "conv1"))'
H2 = 'h2 = np.tanh(convolve(h1, "conv2"))'
Y = 'y = pixel_shuffle(convolve(h2, "conv3"), upscale_factor)'
END = "return y, (x, h1, h2)"
GRADS = "    grads = {}\n"
RECALL = "x, h1, h2 = memory"
BACKWARD = "dinputs, dweight, dbias = conv2d_backward(d, inputs, weight, weight.shape[2] // 2)"
STORE = 'grads[f"{name}.weight"], grads[f"{name}.bias"] = dweight, dbias'
DH2 = 'dh2 = convolve_back(pixel_unshuffle(dy, upscale_factor), h2, "conv3")'
DH1 = 'dh1 = convolve_back(dh2 * (1 - h2**2), h1, "conv2")'
DX = 'dx = convolve_back(dh1 * (1 - h1**2), x, "conv1")'
PLANTED = (
    Planted("tanh after conv3, too", {Y: 'y = pixel_shuffle(np.tanh(convolve(h2, "conv3")), '
        "upscale_factor)"}, VALUES, "there is no tanh after conv3"),
    Planted("no tanh after conv2", {H2: 'h2 = convolve(h1, "conv2")'},
        VALUES, "a tanh is missing"),
    Planted("no tanh after conv1", {H1: 'h1 = convolve(x, "conv1")'},
        VALUES, "a tanh is missing"),
    Planted("ReLU for tanh", {H1: H1.replace("np.tanh(", "np.maximum(0, "),
        H2: H2.replace("np.tanh(", "np.maximum(0, ")}, VALUES, ""),
    Planted("no padding", {FORWARD: FORWARD.replace("weight.shape[2] // 2", "0")},
        SHAPE, "the padding does not fit the kernel"),
    Planted("padding 1 everywhere", {FORWARD: FORWARD.replace("weight.shape[2] // 2", "1")},
        SHAPE, "the padding does not fit the kernel"),
    Planted("the padding of conv1 everywhere", {FORWARD: FORWARD.replace("weight.shape[2] // 2",
        'params["conv1.weight"].shape[2] // 2')},
        SHAPE, ""),
    Planted("the padding of ESPCN's own kernels, 5, 3 and 3",
        {FORWARD: FORWARD.replace("weight.shape[2] // 2", "2 if name == 'conv1' else 1")},
        SHAPE, "the padding does not fit the kernel"),
    Planted("the edge repeated, no zeros", {FORWARD: """        weight = params[f"{name}.weight"]
        p = weight.shape[2] // 2
        around = np.pad(inputs, ((0, 0), (0, 0), (p, p), (p, p)), mode="edge")
        return conv2d_forward(around, weight, params[f"{name}.bias"])"""},
        VALUES, ""),
    Planted("parameters by their place", {FORWARD: """        place = 2 * (int(name[-1]) - 1)
        weight, bias = list(params.values())[place : place + 2]
        return conv2d_forward(inputs, weight, bias, weight.shape[2] // 2)"""},
        ODD, "wrong in another order"),
    Planted("no bias", {'params[f"{name}.bias"]': "np.zeros(len(weight), weight.dtype)"},
        VALUES, ""),
    Planted("conv3 leaves the bias out", {Y:
        "y = pixel_shuffle(convolve(h2, 'conv3') - params['conv3.bias'][:, None, None], "
        "upscale_factor)"}, VALUES, "conv3_bias is forgotten"),
    Planted("TensorFlow's order", {Y: """z = convolve(h2, "conv3")
    n, channels, h, w = z.shape
    area = upscale_factor**2
    z = z.reshape(n, area, channels // area, h, w).swapaxes(1, 2).reshape(z.shape)
    y = pixel_shuffle(z, upscale_factor)"""}, ODD, "wrong for more"),
    Planted("shuffled by 2, always", {Y: Y.replace("upscale_factor", "2")},
        "espcn_forward: odd inputs", "r is not heeded: it counts as 2"),
    Planted("no shuffle", {Y: 'y = convolve(h2, "conv3")'}, SHAPE,
        "r is not heeded: it counts as 1"),
    Planted("only the image is returned", {END: "return y"},
        "espcn_forward: runs", "it must return two things, y, memory"),
    Planted("float64, always", {END: "return y.astype(float), (x, h1, h2)"},
        "espcn_forward: dtype", "float32 becomes float64"),
    Planted("x is changed", {H1: "x *= 1.0\n    x -= 1.0\n    x += 1.5\n    "
        'h1 = np.tanh(convolve(x - 0.5, "conv1"))'},
        "espcn_forward: arguments", "your function changes x"),
    Planted("parameters are changed", {END:
        'params["conv1.bias"] += 0.5\n    return y, (x, h1, h2)'},
        "espcn_forward: arguments", "your function changes conv1_bias"),
    Planted("the memory is global", {END: 'globals()["last"] = x, h1, h2\n    return y, None',
        RECALL: 'x, h1, h2 = globals()["last"]'},
        "two passes", "those of the last forward pass"),
    Planted("the memory lies at the function", {
        END: "espcn_forward.last = x, h1, h2\n    return y, None",
        RECALL: "x, h1, h2 = espcn_forward.last"},
        "two passes", "those of the last forward pass"),
    Planted("arrays that the next forward pass writes into", {END: """
    kept = globals().setdefault("kept", {})
    for number, array in enumerate((x, h1, h2)):
        key = number, array.shape, array.dtype
        kept.setdefault(key, np.empty_like(array))[...] = array
    return y, [kept[i, a.shape, a.dtype] for i, a in enumerate((x, h1, h2))]"""},
        "two passes", "changed after it"),
    Planted("the memory is used up", {END: "return y, [x, h1, h2]",
        RECALL: "h2, h1, x = memory.pop(), memory.pop(), memory.pop()"},
        "two passes", "changed the memory or used it up"),
    Planted("the memory is written on", {DH1: """h2 *= h2
    dh1 = convolve_back(dh2 * (1 - h2), h1, "conv2")"""},
        "two passes", "changed the memory or used it up"),
    Planted("the derivatives of tanh left out", {DH1: DH1.replace(" * (1 - h2**2)", ""),
        DX: DX.replace(" * (1 - h1**2)", "")}, BACK, "through a tanh is missing"),
    Planted("one derivative of tanh left out", {DX: DX.replace(" * (1 - h1**2)", "")},
        BACK, "through a tanh is missing"),
    Planted("tanh taken of the output again", {DH1: DH1.replace("h2**2", "np.tanh(h2) ** 2"),
        DX: DX.replace("h1**2", "np.tanh(h1) ** 2")}, BACK, "the slope of tanh is wrong"),
    Planted("1 - h without the square", {DH1: DH1.replace("h2**2", "h2"),
        DX: DX.replace("h1**2", "h1")}, BACK, "the slope of tanh is wrong"),
    Planted("tanh of conv3, too, on the way back", {DH2:
        "dy = dy * (1 - dy**2)\n    " + DH2}, BACK, ""),
    Planted("the two tanh swapped", {DH1: DH1.replace("h2**2", "h1**2"),
        DX: DX.replace("h1**2", "h2**2")}, BACK, ""),
    Planted("dy reshaped, not unshuffled", {DH2: """size = x.shape[2:]
    d = dy.reshape(len(dy), -1, *size)
    dh2 = convolve_back(d, h2, "conv3")"""}, BACK, ""),
    Planted("dy shuffled in TensorFlow's order", {DH2: """d = pixel_unshuffle(dy, upscale_factor)
    area = upscale_factor**2
    d = d.reshape(len(d), -1, area, *d.shape[2:]).swapaxes(1, 2).reshape(d.shape)
    dh2 = convolve_back(d, h2, "conv3")"""}, BACK_ODD, "wrong for more"),
    Planted("the output of conv2 for its input", {DH1: DH1.replace(", h1,", ", h2,")},
        BACK, "wrong where they differ"),
    Planted("a tanh before conv1, too", {"return dx, grads": "return dx * (1 - x**2), grads"},
        BACK, ""),
    Planted("dx is forgotten", {"return dx, grads": "return grads"},
        "espcn_backward: runs", "it must return two things, dx, grads"),
    Planted("the gradients as a list", {"return dx, grads": "return dx, list(grads.values())"},
        "espcn_backward: runs", "come in a dictionary"),
    Planted("a name is missing", {STORE: 'grads[f"{name}.weight"] = dweight'},
        "espcn_backward: runs", "No name is missing"),
    Planted("other names", {STORE: 'grads[f"d{name}.weight"], grads[f"d{name}.bias"] = '
        "dweight, dbias"}, "espcn_backward: runs", "conv1.weight"),
    Planted("weight and bias swapped", {STORE: 'grads[f"{name}.bias"], grads[f"{name}.weight"] = '
        "dweight, dbias"}, "espcn_backward: shape", "conv1.weight"),
    Planted("gradients added up over calls", {GRADS:
        '    total = globals().setdefault("total", {})\n    grads = {}\n',
        STORE: """for key, value in ((f"{name}.weight", dweight), (f"{name}.bias", dbias)):
            if key in total and (total[key].shape, total[key].dtype) == (value.shape, value.dtype):
                value = value + total[key]
            total[key] = grads[key] = value"""},
        BACK, "depends on the calls before it"),
    Planted("one dictionary for all calls", {GRADS:
        '    grads = globals().setdefault("all", {})\n'},
        "two passes", "into the same dictionary"),
    Planted("divided by the number of pictures", {STORE: STORE.replace("dweight, dbias",
        "dweight / len(dy), dbias / len(dy)")}, BACK_ODD, "N times too small"),
    Planted("the gradients are written over the parameters", {
        GRADS: "    grads = params\n    params = {key: p.copy() for key, p in params.items()}\n"},
        "espcn_backward: runs", "puts something else into params"),
    Planted("the parameters learn at once", {"return dx, grads": """
    for key, gradient in grads.items():
        params[key] -= 0.01 * gradient
    return dx, grads"""}, "espcn_backward: arguments", "your function changes conv1_weight"),
    Planted("dy is changed", {DH2: "dy *= 2\n    dy /= 4\n    dy = dy * 2\n    " + DH2},
        "espcn_backward: arguments", "your function changes dy"),
    Planted("the padding is forgotten on the way back", {
        BACKWARD: BACKWARD.replace(", weight.shape[2] // 2", "")},
        "espcn_backward: shape", "the padding is forgotten"),
    Planted("float32 on the way", {"return dx, grads": "return dx.astype(np.float32).astype("
        "dx.dtype), grads"}, BACK, "passes through float32"),
)  # fmt: skip
