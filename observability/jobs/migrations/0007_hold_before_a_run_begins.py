"""What keeps a run from beginning, beside the run. A column that may be null is added without a new
table, so that the triggers of the search index stay."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """One column."""

    dependencies: ClassVar = [("jobs", "0006_drop_emulated")]
    operations: ClassVar = [
        migrations.AddField(
            model_name="jobrun",
            name="hold",
            field=models.JSONField(null=True, help_text="contracts.Hold, before it begins."),
        ),
    ]
