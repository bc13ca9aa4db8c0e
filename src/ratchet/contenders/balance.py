"""Re-balancing as a row change: training rows left out, repeated or weighted until the labels are nearer in size."""

from __future__ import annotations

from ratchet.contenders.change import Change, Changing
from ratchet.contenders.material import Material
from ratchet.contenders.rows import Ints
from ratchet.prepare.balance import rebalance
from ratchet.recipe.sections import BalanceSpec


class Balance(Change[BalanceSpec]):
    """Rows of the labels in another proportion; held-out rows stay as they are."""

    name, spec = "balance", BalanceSpec

    def weights(self, spec: BalanceSpec) -> bool:
        """As `Change.weights`."""
        return spec.method == "weights"

    def material(self, spec: BalanceSpec, changing: Changing, seen: Ints, *, held_out: Ints) -> Material:
        """As `Change.material`."""
        del held_out
        rows = changing.rows
        keys = [text.encode("utf-8", "surrogatepass") for text in rows.texts(seen)]
        names = rows.names(seen)
        balanced = rebalance(
            names, method=spec.method, ratio=spec.ratio, target=spec.target, seed=changing.seed, keys=keys
        )
        weights = balanced.weights if self.weights(spec) else None
        return Material(rows=seen[balanced.rows], weights=weights, counts={"train_rows": balanced.counts})
