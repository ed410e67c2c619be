"""The lists of applied previews go, as they now do when a proposal is applied."""

from django.db import migrations


def drop(apps, schema_editor):
    Proposal = apps.get_model("changes", "Proposal")
    applied = Proposal.objects.filter(status="applied", preview__isnull=False)
    for proposal in applied.only("preview").iterator(chunk_size=20):
        proposal.preview = {**proposal.preview, "objects": [], "base": {}}
        proposal.save(update_fields=["preview"])


class Migration(migrations.Migration):
    dependencies = [("changes", "0003_cause_unobserved_in_previews")]

    operations = [migrations.RunPython(drop, migrations.RunPython.noop)]
