"""The code of a placement whose fields another controller keeps taking back is `contested`, that of
a rollout item whose placement could not be read is `unobserved`, and that of one that was given up
is `given_up`; they were `war`, `unseen` and `left`.
"""

from django.db import migrations

CODES = {"war": "contested", "unseen": "unobserved", "left": "given_up"}


def upgrade(apps, schema_editor):
    replace_codes(apps, CODES)


def downgrade(apps, schema_editor):
    replace_codes(apps, {new: old for old, new in CODES.items()})


def replace_codes(apps, codes):
    for model in ("PlacementState", "RolloutItem"):
        for before, after in codes.items():
            rows = apps.get_model("enforcement", model).objects
            rows.filter(code=before).update(code=after)


class Migration(migrations.Migration):
    dependencies = [("enforcement", "0001_rollouts_and_observations")]

    operations = [migrations.RunPython(upgrade, downgrade, elidable=True)]
