"""What prune must leave, and what a drain does while the edge can't be asked."""

from __future__ import annotations

from dataclasses import replace

from containerdeploy.actions import RolloutActions
from containerdeploy.edge.base import Figures
from containerdeploy.errors import EdgeError
from containerdeploy.plan import Drain
from containerdeploy.prune import surplus
from containerdeploy.stack import Stack
from tests.unit.plan.world import HOST, World, service


def test_prune_leaves_a_live_release_that_has_ended():
    """Containers of the live release that all ended are mended by `up`, not pruned."""
    world = World().has(service())
    world.containers = [replace(c, state="exited", finished=5.0) for c in world.containers]
    assert surplus(world.observed(), 0) == []
    world.table = world.table.switch({"shop/web": "hold"})
    assert surplus(world.observed(), 0) == []
    world.table = world.table.switch({"shop/web": ""})
    assert [each[0] for each in surplus(world.observed(), 0)] == ["web"]


class Blinking:
    """An edge that can't be asked at first, and then has something in flight for a while."""

    def __init__(self) -> None:
        self.answers = [None, 2, 1, 0, 0]

    def figures(self):
        answer = self.answers.pop(0)
        if answer is None:
            raise EdgeError("the edge did not answer")
        return {("shop/web", "blue"): Figures(current=answer)}

    def lingering(self):
        return False


def test_a_drain_waits_for_an_edge_that_does_not_answer():
    """What can't be seen is not quiet: a drain goes on when the proxy is back."""
    edge = Blinking()
    actions = RolloutActions(None, edge, HOST, Stack("shop"), "r1", {}, {}, lambda event: None)
    actions.do(Drain(id="drain web", why="test", key="shop/web", colour="blue", seconds=30.0))
    assert edge.answers == []
