"""A progress bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from convolith.train.callbacks.base import Callback, Totals

if TYPE_CHECKING:
    from convolith.data import DataLoader
    from convolith.train.trainer import Trainer


class Progress(Callback):
    """A bar over all images of all epochs on standard error, if that is a terminal.

    Images per second and the time left come with it.
    """

    def on_train_begin(self, trainer: Trainer, loader: DataLoader, epochs: int) -> None:
        """Show the bar."""
        from tqdm import tqdm

        images = len(loader.dataset)
        self._epochs = epochs
        self._seen = 0
        self._bar: Any = tqdm(
            total=images * epochs,
            initial=images * trainer.epoch,
            unit=" images",
            unit_scale=True,
            disable=None,  # unless standard error is a terminal
            dynamic_ncols=True,
        )

    def on_epoch_begin(self, trainer: Trainer) -> None:
        """Name the epoch."""
        self._seen = 0
        self._bar.set_description(f"epoch {trainer.epoch + 1}/{self._epochs}")

    def on_batch_end(self, trainer: Trainer, totals: Totals) -> None:
        """Move on."""
        if not self._bar.disable:
            text = "loss {loss:.4f}, accuracy {accuracy:.2%}".format(**totals.means())
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(totals.seen - self._seen)
            self._seen = totals.seen

    def on_train_end(self, trainer: Trainer) -> None:
        """Leave the bar as it is."""
        self._bar.close()
