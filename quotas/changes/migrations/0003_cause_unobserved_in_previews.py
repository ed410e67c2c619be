"""What a stored preview could not read has the cause `unobserved`; it was `unseen`."""

from django.db import migrations


def upgrade(apps, schema_editor):
    replace_cause(apps, "unseen", "unobserved")


def downgrade(apps, schema_editor):
    replace_cause(apps, "unobserved", "unseen")


def replace_cause(apps, before, after):
    proposals = apps.get_model("changes", "Proposal").objects
    for proposal in proposals.filter(preview__isnull=False).order_by("pk").iterator(chunk_size=20):
        blocked = (proposal.preview or {}).get("blocked", [])
        concerned = [obstacle for obstacle in blocked if obstacle.get("cause") == before]
        for obstacle in concerned:
            obstacle["cause"] = after
        if concerned:
            proposal.save(update_fields=["preview"])


class Migration(migrations.Migration):
    dependencies = [("changes", "0002_previews_and_payloads_in_one_shape")]

    operations = [migrations.RunPython(upgrade, downgrade, elidable=True)]
