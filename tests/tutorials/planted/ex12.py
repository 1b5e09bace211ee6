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
        VALUES, "the tanh after conv2 is missing"),
    Planted("no tanh after conv1", {H1: 'h1 = convolve(x, "conv1")'},
        VALUES, "the tanh after conv1 is missing"),
    Planted("ReLU for tanh", {H1: H1.replace("np.tanh(", "np.maximum(0, "),
        H2: H2.replace("np.tanh(", "np.maximum(0, ")}, VALUES, "that is ReLU"),
    Planted("no padding", {FORWARD: FORWARD.replace("weight.shape[2] // 2", "0")},
        SHAPE, "each convolution needs zeros around its input"),
    Planted("padding 1 everywhere", {FORWARD: FORWARD.replace("weight.shape[2] // 2", "1")},
        SHAPE, "the padding goes by the size of the kernel"),
    Planted("the padding of conv1 everywhere", {FORWARD: FORWARD.replace("weight.shape[2] // 2",
        'params["conv1.weight"].shape[2] // 2')},
        SHAPE, "the padding goes by the size of the kernel"),
    Planted("the padding of ESPCN's own kernels, 5, 3 and 3",
        {FORWARD: FORWARD.replace("weight.shape[2] // 2", "2 if name == 'conv1' else 1")},
        SHAPE, "the padding goes by the size of the kernel"),
    Planted("the edge repeated, no zeros", {FORWARD: """        weight = params[f"{name}.weight"]
        p = weight.shape[2] // 2
        around = np.pad(inputs, ((0, 0), (0, 0), (p, p), (p, p)), mode="edge")
        return conv2d_forward(around, weight, params[f"{name}.bias"])"""},
        VALUES, "there are zeros around the input"),
    Planted("parameters by their place", {FORWARD: """        place = 2 * (int(name[-1]) - 1)
        weight, bias = list(params.values())[place : place + 2]
        return conv2d_forward(inputs, weight, bias, weight.shape[2] // 2)"""},
        ODD, "params may come in any order"),
    Planted("no bias", {'params[f"{name}.bias"]': "np.zeros(len(weight), weight.dtype)"},
        VALUES, "the biases are missing"),
    Planted("conv3 leaves the bias out", {Y:
        "y = pixel_shuffle(convolve(h2, 'conv3') - params['conv3.bias'][:, None, None], "
        "upscale_factor)"}, VALUES, "the bias of conv3 is missing"),
    Planted("TensorFlow's order", {Y: """z = convolve(h2, "conv3")
    n, channels, h, w = z.shape
    area = upscale_factor**2
    z = z.reshape(n, area, channels // area, h, w).swapaxes(1, 2).reshape(z.shape)
    y = pixel_shuffle(z, upscale_factor)"""}, ODD, "the shuffle is TensorFlow's"),
    Planted("shuffled by 2, always", {Y: Y.replace("upscale_factor", "2")},
        "espcn_forward: shape", "is 2 written for r?"),
    Planted("no shuffle", {Y: 'y = convolve(h2, "conv3")'}, SHAPE, "the pixel shuffle is missing"),
    Planted("only the image is returned", {END: "return y"},
        "espcn_forward: runs", "must return (y, memory)"),
    Planted("float64, always", {END: "return y.astype(float), (x, h1, h2)"},
        "espcn_forward: dtype", "turns float32 into float64"),
    Planted("x is changed", {H1: "x *= 1.0\n    x -= 1.0\n    x += 1.5\n    "
        'h1 = np.tanh(convolve(x - 0.5, "conv1"))'},
        "espcn_forward: arguments", "you changed x"),
    Planted("parameters are changed", {END:
        'params["conv1.bias"] += 0.5\n    return y, (x, h1, h2)'},
        "espcn_forward: arguments", "you changed params"),
    Planted("the memory is global", {END: 'globals()["last"] = x, h1, h2\n    return y, None',
        RECALL: 'x, h1, h2 = globals()["last"]'},
        BACK_ODD, "the last forward pass, and not from the memory"),
    Planted("the memory lies at the function", {
        END: "espcn_forward.last = x, h1, h2\n    return y, None",
        RECALL: "x, h1, h2 = espcn_forward.last"},
        BACK_ODD, "the last forward pass, and not from the memory"),
    Planted("arrays that the next forward pass writes into", {END: """
    kept = globals().setdefault("kept", {})
    for number, array in enumerate((x, h1, h2)):
        key = number, array.shape, array.dtype
        kept.setdefault(key, np.empty_like(array))[...] = array
    return y, [kept[i, a.shape, a.dtype] for i, a in enumerate((x, h1, h2))]"""},
        BACK_ODD, "the last forward pass, and not from the memory"),
    Planted("the memory is used up", {END: "return y, [x, h1, h2]",
        RECALL: "h2, h1, x = memory.pop(), memory.pop(), memory.pop()"},
        BACK_ODD, "the memory must stay as it is"),
    Planted("the memory is written on", {DH1: """h2 *= h2
    dh1 = convolve_back(dh2 * (1 - h2), h1, "conv2")"""},
        BACK_ODD, "the memory must stay as it is"),
    Planted("the derivatives of tanh left out", {DH1: DH1.replace(" * (1 - h2**2)", ""),
        DX: DX.replace(" * (1 - h1**2)", "")}, BACK, "the way back through tanh is missing"),
    Planted("one derivative of tanh left out", {DX: DX.replace(" * (1 - h1**2)", "")},
        BACK, "the way back through the first tanh is missing"),
    Planted("tanh taken of the output again", {DH1: DH1.replace("h2**2", "np.tanh(h2) ** 2"),
        DX: DX.replace("h1**2", "np.tanh(h1) ** 2")}, BACK, "tanh is taken twice"),
    Planted("1 - h without the square", {DH1: DH1.replace("h2**2", "h2"),
        DX: DX.replace("h1**2", "h1")}, BACK, "1 - y**2"),
    Planted("tanh of conv3, too, on the way back", {DH2:
        "dy = dy * (1 - dy**2)\n    " + DH2}, BACK, "wrong values"),
    Planted("the two tanh swapped", {DH1: DH1.replace("h2**2", "h1**2"),
        DX: DX.replace("h1**2", "h2**2")}, "espcn_backward: odd inputs", ""),
    Planted("dy reshaped, not unshuffled", {DH2: """size = x.shape[2:]
    d = dy.reshape(len(dy), -1, *size)
    dh2 = convolve_back(d, h2, "conv3")"""}, BACK_ODD, "reshape"),
    Planted("dy shuffled in TensorFlow's order", {DH2: """d = pixel_unshuffle(dy, upscale_factor)
    area = upscale_factor**2
    d = d.reshape(len(d), -1, area, *d.shape[2:]).swapaxes(1, 2).reshape(d.shape)
    dh2 = convolve_back(d, h2, "conv3")"""}, BACK_ODD, "TensorFlow"),
    Planted("the layer's output for its input", {DX: DX.replace(", x,", ", dx0,"),
        DH2: "dx0 = np.zeros_like(x)\n    " + DH2}, BACK, "conv1.weight"),
    Planted("a tanh before conv1, too", {"return dx, grads": "return dx * (1 - x**2), grads"},
        BACK, "dx"),
    Planted("dx is forgotten", {"return dx, grads": "return grads"},
        "espcn_backward: runs", "must return (dx, grads)"),
    Planted("the gradients as a list", {"return dx, grads": "return dx, list(grads.values())"},
        "espcn_backward: runs", "grads must be a dictionary"),
    Planted("a name is missing", {STORE: 'grads[f"{name}.weight"] = dweight'},
        "espcn_backward: runs", "conv1.bias"),
    Planted("other names", {STORE: 'grads[f"d{name}.weight"], grads[f"d{name}.bias"] = '
        "dweight, dbias"}, "espcn_backward: runs", "conv1.weight"),
    Planted("weight and bias swapped", {STORE: 'grads[f"{name}.bias"], grads[f"{name}.weight"] = '
        "dweight, dbias"}, "espcn_backward: shape", "conv1.weight"),
    Planted("gradients added up over calls", {GRADS:
        '    total = globals().setdefault("total", {})\n    grads = {}\n',
        STORE: """for key, value in ((f"{name}.weight", dweight), (f"{name}.bias", dbias)):
            if key in total and total[key].shape == value.shape:
                value = value + total[key]
            total[key] = grads[key] = value"""},
        BACK, "earlier calls"),
    Planted("one dictionary for all calls", {GRADS:
        '    grads = globals().setdefault("all", {})\n'},
        BACK_ODD, "an earlier call"),
    Planted("divided by the number of pictures", {STORE: STORE.replace("dweight, dbias",
        "dweight / len(dy), dbias / len(dy)")}, BACK_ODD, "batch"),
    Planted("the gradients are written over the parameters", {
        GRADS: "    grads = params\n    params = {key: p.copy() for key, p in params.items()}\n"},
        "espcn_backward: arguments", "you changed params"),
    Planted("the parameters learn at once", {"return dx, grads": """
    for key, gradient in grads.items():
        params[key] -= 0.01 * gradient
    return dx, grads"""}, "espcn_backward: arguments", "you changed params"),
    Planted("dy is changed", {DH2: "dy *= 2\n    dy /= 4\n    dy = dy * 2\n    " + DH2},
        "espcn_backward: arguments", "you changed dy"),
    Planted("the padding is forgotten on the way back", {
        BACKWARD: BACKWARD.replace(", weight.shape[2] // 2", "")},
        "espcn_backward: shape", ""),
    Planted("float32 on the way", {"return dx, grads": "return dx.astype(np.float32).astype("
        "dx.dtype), grads"}, "espcn_backward: gradient", "float32"),
)  # fmt: skip
