"""A plan -> the configuration of its gateway."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gateway import config
from gateway.model import node_name

if TYPE_CHECKING:
    from gateway.config import Config
    from tools.simulate.schedule import Plan


def config_of(plan: Plan, state_dir: Path) -> Config:
    """Every node of the plan and the one that may take its place, each at its site."""
    base = _parsed()
    sites = {node.site: base.sites["site"].model_copy(update={"greatest_per_minute": node.street.rate}) for node in plan.nodes}
    nodes = {
        node_name(number): base.nodes["tr-000001"].model_copy(update={"site": node.site})
        for node in plan.nodes
        for number in (node.number, node.spare)
    }
    uplink = {"batch_points": plan.batch_points, "audit_minutes": plan.audit_minutes}
    return base.model_copy(
        update={
            "gateway": base.gateway.model_copy(update={"state_dir": state_dir}),
            "serial": base.serial.model_copy(update={"ports": plan.links}),
            "ble": base.ble.model_copy(update={"enabled": any(node.is_on_air for node in plan.nodes), "scan": "passive"}),
            "uplink": base.uplink.model_copy(update=uplink),
            "sites": sites,
            "nodes": nodes,
        }
    )


@cache
def _parsed() -> Config:
    text = '[gateway]\npage = "off"\n[uplink]\nenabled = true\napi = "file"\n[sites.site]\n[nodes.tr-000001]\nsite = "site"\n'
    return config.parse(text, "simulate", {})
