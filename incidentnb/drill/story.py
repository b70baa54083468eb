"""What people did around a drill: the deploys and other changes of its feed, the one that did it, and the decoys."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any

from incidentnb import times
from incidentnb.drill import shop
from incidentnb.drill.scenario import Plan, between, pick
from incidentnb.exceptions import InputError

FEEDS = {"jsonl": "deploys.jsonl", "csv": "deploys.csv", "cdevents": "deploys.cdevents.jsonl"}


def told(plan: Plan, commits: dict[str, str]) -> tuple[list[dict[str, Any]], str | None, tuple[str, ...]]:
    """The rows of the change feed, oldest first, the id of the culprit (``None`` where no change did it), and its other names.

    Args:
        plan: of the drill.
        commits: ``old`` and ``new`` → sha of what was deployed, ``config`` → that of the settings; may be empty.
    """
    source, rows = plan.random, []
    serial = 4000 + int(between(source, 0, 900))
    hit = plan.injected or plan.deployed

    def row(at, kind, summary, service, *, by=None, version=None, name=None, sha=None):
        nonlocal serial
        serial += 1 + int(between(source, 0, 3))
        found = {"time": times.iso(at.replace(microsecond=0)), "kind": kind, "id": name or f"{kind}-{serial}", "service": service,
                 "version": version, "author": by or pick(source, shop.PEOPLE), "summary": summary, "sha": sha}
        rows.append({key: value for key, value in found.items() if value is not None})
        return rows[-1]["id"]

    ago = lambda **length: hit - timedelta(**length)  # noqa: E731 (the times below read as sentences)
    row(ago(days=2, hours=3), "deploy", f"shop-api {plan.old} to production", "shop-api", by="ci", version=plan.old, sha=commits.get("old"))
    row(ago(hours=5, minutes=12), "deploy", "mailer 2.9.1 to production", "mailer", by="ci", version="2.9.1")
    row(ago(minutes=68), "certificate", "certificate of static.shop.example renewed", "cdn", by="certbot")
    row(ago(minutes=between(source, 44, 55)), "flag", "sort-by-rating: on for 10 %", "web-shop", name="flag-sort-by-rating")
    row(ago(minutes=between(source, 21, 28)), "job", "hourly rebuild of recommendations started", "recommender", by="scheduler")
    culprit, at, undo = _culprit(plan, row, source, hit, commits)
    near = at - timedelta(seconds=plan.decoy_s)
    version = f"1.{int(between(source, 2, 40))}.{int(between(source, 0, 9))}"
    row(min(near, hit - timedelta(seconds=4)), "deploy", f"{plan.decoy_service} {version} to production", plan.decoy_service, by="ci",
        version=version)
    row(hit + timedelta(minutes=between(source, 3, 6)), "config", f"log level of {plan.decoy_service} raised to debug", plan.decoy_service)
    if plan.end is not None and plan.fault is not None:
        row(plan.end - timedelta(seconds=3), *undo)
    also = {"bad": commits.get("new"), "config": commits.get("config")}["bad" if plan.deployed else "config"] if culprit else None
    reads = sorted((r for r in rows if r["time"] <= times.iso(plan.until)), key=lambda r: r["time"])
    return reads, culprit, (also[:12],) if also else ()


def _culprit(plan: Plan, row, source, hit, commits) -> tuple[str | None, Any, tuple[str, str, str]]:
    """Tell the change that did it: its id, its time, and the kind, summary and service of the row that takes it back."""
    at = plan.deployed or hit - timedelta(seconds=round(between(source, 12, 75)))
    fault, where = plan.fault, " and ".join({**plan.where}.values()) or "production"
    if plan.deployed:
        found = row(at, "deploy", f"shop-api {plan.new} to " + ("4 of 9 hosts" if len(plan.canary) < 9 else "production"), "shop-api",
                    by="ci", version=plan.new, sha=commits.get("new"))
        return found if fault else None, at, ("deploy", f"rollback of shop-api to {plan.old}", "shop-api")
    if plan.kind == "one_host":
        host = shop.HOSTS[fault.hosts[0]]
        if plan.seed % 2:  # a disk that fills by itself: no change did it
            return None, at, ("job", f"spool of {host} cleared", "shop-api")
        found = row(at, "config", f"retention of the spool on {host} set from 1 to 30 days", "shop-api")
        return found, at, ("config", f"retention of the spool on {host} set back", "shop-api")
    if plan.kind == "one_region":
        region = shop.REGIONS[fault.hosts[0] // 3]
        found = row(at, "config", f"database subnet routes of {region} replaced", "shop-api")
        return found, at, ("config", f"database subnet routes of {region} restored", "shop-api")
    if plan.kind == "dependency":
        upstream = shop.ROUTES[fault.routes[0]].upstream
        found = row(at, "external", f"{upstream}: maintenance at the provider began", upstream, by=f"status of {upstream}")
        return found, at, ("external", f"{upstream}: maintenance at the provider ended", upstream)
    if plan.kind in ("flag_tenant", "two_conditions"):
        flag = "flag-pricing-v2" if plan.kind == "flag_tenant" else "flag-delivery-slots"
        found = row(at, "flag", f"{flag.removeprefix('flag-')}: on for {where}", "shop-api", name=flag)
        return found, at, ("flag", f"{flag.removeprefix('flag-')}: off", "shop-api")
    if plan.kind == "slow_ramp":
        found = row(at, "config", "shop-api: size of pool shop-main set from 50 to 8", "shop-api", sha=commits.get("config"))
        return found, at, ("config", "shop-api: size of pool shop-main set back to 50", "shop-api")
    row(at - timedelta(minutes=2), "external", "autumn campaign: mail sent to all customers", "marketing")
    return None, at, ("external", "autumn campaign ended", "marketing")


def written(rows: list[dict[str, Any]], feed: str) -> tuple[str, str]:
    """The name and the text of the change file.

    Raises:
        InputError: no such feed.
    """
    if feed not in FEEDS:
        raise InputError(feed, "no such feed of a drill", f"one of {', '.join(FEEDS)}")
    if feed == "jsonl":
        return FEEDS[feed], "".join(json.dumps(row) + "\n" for row in rows)
    if feed == "csv":
        text = io.StringIO(newline="")
        names = ["time", "kind", "id", "service", "version", "author", "summary", "sha"]
        out = csv.DictWriter(text, names, lineterminator="\n")
        out.writeheader()
        out.writerows(rows)
        return FEEDS[feed], text.getvalue()
    return FEEDS[feed], "".join(json.dumps(_event(row)) + "\n" for row in rows)


def _event(row: dict[str, Any]) -> dict[str, Any]:
    """A row as a CDEvent (0.4) where there is a type for it, else as a CloudEvent (1.0)."""
    rest = {key: row[key] for key in ("author", "summary", "sha") if key in row}
    if row["kind"] == "deploy":
        predicate = "rolledback" if row["summary"].startswith("rollback") else "deployed"
        return {"context": {"version": "0.4.1", "id": row["id"], "source": "/ci/shop", "type": f"dev.cdevents.service.{predicate}.0.2.0",
                            "timestamp": row["time"]},
                "subject": {"id": row["service"], "source": "/ci/shop", "type": "service", "content": {
                    "environment": {"id": "production"}, **rest,
                    **({"artifactId": f"pkg:oci/{row['service']}@{row['version']}"} if "version" in row else {})}}}
    return {"specversion": "1.0", "id": row["id"], "source": "/shop/changes", "type": f"example.shop.{row['kind']}.changed",
            "subject": row["service"], "time": row["time"], "data": {"kind": row["kind"], **rest}}
