"""Stored changes hold limits as integers and the whole policy, stored previews speak of
`over_limit` and `shadowed` and show changes as rollouts do: what older versions stored follows.

A draft's fingerprint was made of the former shape: applying it shows the new preview first.
"""

import re

from django.db import migrations, models

from quotas.plans.limits import format_limit, parse_key, parse_limit

NAMES = {
    "hurt": "over_limit",
    "kept": "shadowed",
    "kept_total": "shadowed_total",
    "kept_tenants": "shadowed_tenants",
}
OBJECT = re.compile(
    r"(?P<kind>\S+) (?:(?P<namespace>[^/]*)/)?(?P<name>.*?)(?:\[(?P<part>.*)\])?", re.DOTALL
)
"""How an object was written as a text, from which its parts are told: `Kind namespace/name[part]`."""


def upgrade(apps, schema_editor):
    Proposal = apps.get_model("changes", "Proposal")
    PlanVersion = apps.get_model("plans", "PlanVersion")
    for proposal in Proposal.objects.order_by("pk").iterator(chunk_size=20):
        proposal.payload = payload_of(proposal.kind, proposal.payload, PlanVersion)
        if proposal.preview:
            proposal.preview = preview_of(proposal.preview)
        proposal.save(update_fields=["payload", "preview"])


def downgrade(apps, schema_editor):
    """Payloads become texts again; previews are computed anew when somebody looks."""
    for proposal in apps.get_model("changes", "Proposal").objects.order_by("pk").iterator():
        payload = proposal.payload
        if "limits" in payload:
            payload["limits"] = {key: text(key, each) for key, each in payload["limits"].items()}
        if "key" in payload:
            payload["value"] = text(payload["key"], payload["value"])
        if proposal.kind == "PublishPlan":
            payload["policy"] = payload.get("policy") or {}
        proposal.preview, proposal.fingerprint = None, ""
        proposal.save(update_fields=["payload", "preview", "fingerprint"])


def text(key, value):
    return format_limit(parse_key(key), value)


def payload_of(kind, payload, versions):
    """Limits were texts (`"40"`, `"unlimited"`), and a policy said only what it changes."""
    payload = dict(payload)
    if "limits" in payload:
        payload["limits"] = {key: amount(key, text) for key, text in payload["limits"].items()}
    if "key" in payload:
        payload["value"] = amount(payload["key"], payload["value"])
    if kind == "PublishPlan":
        given = payload.get("policy")
        base = versions.objects.filter(
            plan__slug=payload["plan"], number=payload["base_version"]
        ).first()
        payload["policy"] = {**base.policy, **given} if given and base else None
    return payload


def amount(key, value):
    return parse_limit(parse_key(key), value) if isinstance(value, str) else value


def preview_of(preview):
    preview = {NAMES.get(name, name): value for name, value in preview.items()}
    for item in preview.get("objects", ()):
        item.update(OBJECT.fullmatch(item["object"]).groupdict(""))
        for field in item["fields"]:
            declarative = field.pop("declarative", False)
            if isinstance(owner := field.get("owner"), str):
                named = {"manager": owner, "declarative": declarative, "at": None}
                field["owner"] = named if owner else None
    base = preview.get("base", {})
    if "away" in base:
        base["unreachable"] = base.pop("away")
    return preview


class Migration(migrations.Migration):
    dependencies = [("changes", "0001_proposals"), ("plans", "0001_plans_subscriptions_and_leases")]

    operations = [
        migrations.AlterField(
            model_name="proposal",
            name="kind",
            field=models.CharField(help_text="Class name in quotas.changes.kinds.", max_length=20),
        ),
        migrations.RunPython(upgrade, downgrade, elidable=True),
    ]
