"""The same numbers, sooner: `accelerate`."""


def accelerate(network, input_gradient=True):
    return network
