"""Optimizers: ``step()`` reads ``model.grads`` and changes ``model.params`` in place.

In order of increasing complexity: SGD, Adam, SOAP. An optimizer keeps its memory in ``state``, one
dictionary of arrays for each parameter, so that a run can be saved and resumed.
``lr`` may be changed between steps: multiply the first rate by what `cosine` gives for the step.
"""

import math

from npespcn.arrays import array_module, check_shape


class Optimizer:
    """Base class: each step subtracts lr * update(gradient) from every parameter.

    An optimizer adds ``start(param)``, which returns a parameter's state before the first step,
    and ``update(grad, state)``, which returns the step to take at rate 1, and changes the state.
    """

    def __init__(self, model, lr):
        self.model, self.lr, self.steps = model, lr, 0
        self.state = {name: self.start(param) for name, param in model.params.items()}

    def step(self):
        self.steps += 1
        for name, param in self.model.params.items():
            grad = self.model.grads[name]
            check_shape(f"the gradient of {name}", grad, param.shape)
            param -= self.lr * self.update(grad, self.state[name])


class SGD(Optimizer):
    """Stochastic gradient descent: v = momentum * v + g; p -= lr * v. As in PyTorch."""

    def __init__(self, model, lr=1e-2, momentum=0.0):
        super().__init__(model, lr)
        self.momentum = momentum

    def start(self, param):
        return {"velocity": array_module(param).zeros_like(param)}

    def update(self, grad, state):
        state["velocity"] *= self.momentum
        state["velocity"] += grad
        return state["velocity"]


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1): each entry's step is about lr, whatever its scale.

    m and v are running means of g and g²; both start at 0, hence the bias corrections::

        m = β₁ m + (1 - β₁) g        v = β₂ v + (1 - β₂) g²
        p -= lr * (m / (1 - β₁ᵗ)) / (sqrt(v / (1 - β₂ᵗ)) + ε)
    """

    def __init__(self, model, lr=1e-3, betas=(0.9, 0.999), epsilon=1e-8):
        super().__init__(model, lr)
        self.betas, self.epsilon = tuple(betas), epsilon

    def start(self, param):
        return {key: array_module(param).zeros_like(param) for key in ("mean", "square")}

    def update(self, grad, state):
        mean, square, (beta1, beta2) = state["mean"], state["square"], self.betas
        _average(mean, grad, beta1)
        _average(square, grad * grad, beta2)
        root = array_module(square).sqrt(square / (1 - beta2**self.steps))
        return mean / (1 - beta1**self.steps) / (root + self.epsilon)


class SOAP(Adam):
    """Adam in the eigenbasis of the gradients' covariances (Vyas et al. 2024, algorithm 3).

    Adam gives every *entry* its own rate, which suits a problem whose directions of steep and of
    shallow descent run along the entries. Here they do not: neighboring taps of a filter move
    together. So SOAP turns each gradient into a basis where they come apart, and is Adam there.
    With the weight seen as a matrix (O, C*k*k)::

        L, R = running means (β₂) of G Gᵀ and Gᵀ G      Q_L, Q_R = their eigenvectors
        G' = Q_Lᵀ G Q_R                                 Adam on G', giving D'
        W -= lr * Q_L D' Q_Rᵀ

    A gradient is counted into L and R after the step that it causes. If it were counted before, the
    first basis would be that gradient's own: G' would be diagonal but for rounding noise, and Adam
    would divide that noise by its own size. So the first call of ``step`` changes nothing in the
    model: it only makes a basis from the first gradient. From then on the eigenvectors change
    slowly; every `refresh` steps, one step of orthogonal iteration (a product and a QR
    decomposition) follows them. ESPCN's matrices are small (64×64, 25×25, 32×32, 576×576, 9×9 and
    288×288), so this costs a fraction of a training step. Biases, with no second axis, get Adam.

    The authors' program differs in five things: it has β₂ = 0.95, refreshes every 10 steps, has
    weight decay, adds ε before it corrects the bias of v, and keeps a weight's four axes, with a
    covariance for each: ESPCN's steps then cost less, but it needs more of them.
    """

    def __init__(self, model, lr=3e-3, betas=(0.95, 0.9), epsilon=1e-8, refresh=20):
        super().__init__(model, lr, betas, epsilon)
        self.refresh = refresh
        self.steps = -1  # the first call looks, and takes step 0: none

    def start(self, param):
        if param.ndim == 1:
            return super().start(param)
        w, xp = param.reshape(len(param), -1), array_module(param)  # (O, C*k*k)
        left, right = (xp.eye(side, dtype=w.dtype) for side in w.shape)
        covariances = {"left": 0 * left, "right": 0 * right}
        return super().start(w) | covariances | {"left_basis": left, "right_basis": right}

    def update(self, grad, state):
        if grad.ndim == 1:
            return super().update(grad, state) if self.steps else 0 * grad
        g, left, right = grad.reshape(len(grad), -1), state["left_basis"], state["right_basis"]
        turned = super().update(left.T @ g @ right, state) if self.steps else 0 * g
        step = (left @ turned @ right.T).reshape(grad.shape)
        self.follow(g, state["mean"], state["square"], state["left"], left)
        self.follow(g.T, state["mean"].T, state["square"].T, state["right"], right)
        return step

    def follow(self, g, mean, square, covariance, basis):
        """Count the gradient into a covariance; every `refresh` steps, renew its basis.

        The mean is turned into the new basis. Squares cannot be turned, only put in its order.
        """
        covariance *= self.betas[1]
        covariance += (1 - self.betas[1]) * g @ g.T
        if self.steps == 0:
            basis[...] = array_module(g).linalg.eigh(covariance)[1][:, ::-1]  # the largest first
        elif self.steps % self.refresh == 0:
            pushed = covariance @ basis
            order = (basis * pushed).sum(axis=0).argsort()[::-1]  # by estimated eigenvalue
            fresh = array_module(g).linalg.qr(pushed[:, order])[0]
            mean[...] = fresh.T @ (basis @ mean)
            square[...] = square[order]
            basis[...] = fresh


def cosine(steps, final=0.0):
    """Return a schedule, step -> factor on the rate: half a cosine, from 1 down to `final`.

    >>> [round(cosine(4)(step), 3) for step in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """
    return lambda step: final + (1 - final) * (1 + math.cos(math.pi * min(step / steps, 1))) / 2


def _average(mean, value, beta):
    """Update a running mean that starts at 0, in place."""
    mean += (1 - beta) * (value - mean)
