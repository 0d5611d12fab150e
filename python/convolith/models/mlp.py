"""Networks without convolutions: the perceptron, and the multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence

from convolith import nn
from convolith.models.choices import Activation, activation_layer


class Perceptron(nn.Sequential):
    """One linear layer: a class for each side of hyperplanes (Rosenblatt 1958).

    It can learn what is linearly separable, such as NAND, and nothing else: not XOR (Minsky and
    Papert 1969). Its output is linear; the loss has the softmax.

    Parameters
    ----------
    in_features : int
        The product of the dimensions of an input.
    num_classes : int
    """

    def __init__(self, in_features: int = 784, num_classes: int = 10) -> None:
        super().__init__(nn.Flatten(), nn.Linear(in_features, num_classes))


class MLP(nn.Sequential):
    """Linear layers with an activation between them, for inputs of any shape (N, *).

    The parameters of 784-512-512-10 are 785*512 + 513*512 + 513*10 = 669,706.

    Parameters
    ----------
    in_features : int
        The product of the dimensions of an input.
    widths : sequence of int
        Features of each hidden layer; none makes it a `Perceptron`.
    num_classes : int
    activation : {'tanh', 'relu', 'sigmoid'}
    dropout : float
        Share of the features that is dropped behind each activation; 0 leaves the layer out.

    Raises
    ------
    ValueError
        If the activation is none of these.
    """

    def __init__(
        self,
        in_features: int = 784,
        widths: Sequence[int] = (512, 512),
        num_classes: int = 10,
        activation: Activation = "relu",
        dropout: float = 0.0,
    ) -> None:
        layers: list[nn.Module] = [nn.Flatten()]
        for width in widths:
            layers += [nn.Linear(in_features, width), activation_layer("MLP", activation)]
            layers += [nn.Dropout(dropout)] if dropout else []
            in_features = width
        super().__init__(*layers, nn.Linear(in_features, num_classes))
