"""SOAP against a slow copy of its authors' program, and what follows from turning."""

import numpy as np
from helpers import Numbers, follow, normal, relative_error

from npespcn.optim import SOAP, Adam, cosine

same = np.testing.assert_array_equal


def rng(seed=0):
    return np.random.default_rng(seed)


def soap_by_its_authors(start, gradients, lr, refresh, beta=0.95):
    """Do as the authors' program does, step by step: the mean lies turned, but for refreshes.

    Init, look at the first gradient; then: step, count the gradient, refresh.
    """
    w, m, v = start.copy(), np.zeros_like(start), np.zeros_like(start)
    covariances = [np.zeros((side, side)) for side in w.shape]
    bases, path = [], []
    for t, g in enumerate(gradients):
        if t > 0:
            q_left, q_right = bases
            turned = q_left.T @ g @ q_right
            m = beta * m + (1 - beta) * turned
            v = beta * v + (1 - beta) * turned**2
            adam = m / (1 - beta**t) / (np.sqrt(v / (1 - beta**t)) + 1e-8)
            w = w - lr * (q_left @ adam @ q_right.T)
            m = q_left @ m @ q_right.T  # back, since the bases may change
        covariances = [
            beta * covariance + (1 - beta) * product
            for covariance, product in zip(covariances, (g @ g.T, g.T @ g), strict=True)
        ]
        if t == 0:
            bases = [np.linalg.eigh(covariance)[1][:, ::-1] for covariance in covariances]
        elif t % refresh == 0:
            for axis, covariance in enumerate(covariances):
                values = np.diag(bases[axis].T @ covariance @ bases[axis])
                order = np.argsort(-values)
                v = np.take(v, order, axis)
                bases[axis] = np.linalg.qr(covariance @ bases[axis][:, order])[0]
        if t > 0:
            m = bases[0].T @ m @ bases[1]
        path.append(w)
    return np.stack(path)


def turning_gradients(steps, *shape, seed=3):
    """Return gradients whose strong directions change with time, so that they are sorted anew."""
    scales = 10 ** rng(seed).uniform(-1, 1, (2, shape[0], 1))
    weight = np.linspace(0, 1, steps)[:, None, None]
    return ((1 - weight) * scales[0] + weight * scales[1]) * normal(steps, *shape, seed=seed)


def test_soap_is_its_authors():
    """Where the first gradient leaves out two directions or more, rounding chooses a basis."""
    for shape in ((5, 5), (4, 5), (7, 6)):
        for refresh in (1, 3, 20):
            start, gradients = normal(*shape), turning_gradients(300, *shape)
            expected = soap_by_its_authors(start, gradients, 0.01, refresh)
            path = follow(SOAP, start, gradients, lr=0.01, betas=(0.95, 0.95), refresh=refresh)
            assert relative_error(path, expected) < 1e-11, (shape, refresh)


def test_soap_turns_with_the_problem_and_adam_does_not():
    left, right = (np.linalg.qr(normal(4, 4, seed=s))[0] for s in (5, 6))
    start, gradients = normal(4, 4), normal(30, 4, 4, seed=1) * 3.0 ** -np.arange(4)
    for kind, most, least in ((SOAP, 1e-9, 0), (Adam, np.inf, 1e-3)):
        options = {"lr": 0.01} | ({"refresh": 5} if kind is SOAP else {})
        path = follow(kind, start, gradients, **options)
        turned = follow(kind, left @ start @ right, left @ gradients @ right, **options)
        assert least <= relative_error(turned, left @ path @ right) <= most


def test_soap_keeps_its_bases_orthonormal_and_survives_zero_gradients():
    for steps, shape in ((400, (6, 8)), (30, (6, 1))):
        model = Numbers(weight=np.zeros(shape, np.float32), bias=np.zeros(3, np.float32))
        optimizer = SOAP(model, refresh=2)
        gradients = normal(steps, *shape).astype("f4")
        gradients[:3] = 0
        for gradient in gradients:
            model.grads = {"weight": gradient, "bias": np.ones(3, np.float32)}
            optimizer.step()
        assert np.isfinite(model.params["weight"]).all()
        assert (model.params["bias"] < 0).all()
        for side in ("left_basis", "right_basis"):
            basis = optimizer.state["weight"][side].astype("f8")
            assert abs(basis.T @ basis - np.eye(len(basis))).max() < 1e-5


def test_soap_is_adam_for_biases_from_the_second_gradient_on():
    start, gradients = normal(7), normal(25, 7, seed=1)
    soap = follow(SOAP, start, gradients, lr=0.01, refresh=3)
    adam = follow(Adam, start, gradients[1:], lr=0.01, betas=(0.95, 0.9))
    assert relative_error(soap[1:], adam) < 1e-14


def test_soap_beats_adam_where_the_valley_lies_across_the_axes():
    left, right = (np.linalg.qr(normal(12, 12, seed=s))[0] for s in (1, 2))
    stretch = np.geomspace(1, 0.01, 12)
    a, b = (left * stretch) @ left.T, (right * stretch) @ right.T
    target = normal(12, 12)

    def final_loss(kind, lr, steps=200):
        model = Numbers(weight=np.zeros((12, 12)))
        optimizer, schedule = kind(model), cosine(steps)
        for step in range(steps):
            error = a @ (model.params["weight"] - target) @ b
            model.grads = {"weight": a @ error @ b}
            optimizer.lr = lr * schedule(step)
            optimizer.step()
        return (error**2).sum()

    adam, soap = (min(final_loss(kind, lr) for lr in (0.01, 0.03, 0.1)) for kind in (Adam, SOAP))
    assert soap < adam / 10
