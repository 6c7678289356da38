"""What scripts written for PyTorch 0.3 and 0.4 use and today's no longer has, put back from outside while such a script runs."""

from typing import Any

from tools.parity_parts.reference_script import import_torch


def gradients_of_scalars() -> None:
    """A gradient of one number, of shape (1,), is taken by a loss that is a scalar of shape ()."""
    torch = import_torch()
    plain = torch.Tensor.backward

    def backward(self: Any, gradient: Any = None, *args: Any, **kwargs: Any) -> None:
        plain(self, gradient if gradient is None else gradient.reshape(self.shape), *args, **kwargs)

    torch.Tensor.backward = backward


def numbers_by_index() -> None:
    """`loss.data[0]` is the number that `loss` is."""
    torch = import_torch()
    plain = torch.Tensor.__getitem__

    def getitem(self: Any, index: Any) -> Any:
        return self if isinstance(index, int) and index == 0 and self.dim() == 0 else plain(self, index)

    torch.Tensor.__getitem__ = getitem


def devices() -> None:
    """Moving to 'cuda' does nothing, and tensors made there are made here."""
    torch = import_torch()
    for kind in (torch.Tensor, torch.nn.Module):
        plain = kind.to

        def to(self: Any, *args: Any, plain: Any = plain, **kwargs: Any) -> Any:
            return self if args == ("cuda",) else plain(self, *args, **kwargs)

        kind.to = to
    torch.cuda.FloatTensor, torch.cuda.LongTensor = torch.FloatTensor, torch.LongTensor


def factors_before_matrices() -> None:
    """`a.addmm_(beta, alpha, b, c)`: the two factors come first."""
    torch = import_torch()
    plain = torch.Tensor.addmm_

    def addmm_(self: Any, *given: Any, **named: Any) -> Any:
        if len(given) != 4:
            return plain(self, *given, **named)
        beta, alpha, left, right = given
        return plain(self, left, right, beta=beta, alpha=alpha)

    torch.Tensor.addmm_ = addmm_
