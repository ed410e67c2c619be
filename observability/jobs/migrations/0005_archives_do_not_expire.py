from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0004_find_overdue_cleanups"),
    ]

    operations = [
        migrations.AlterField(
            model_name="jobrun",
            name="archive",
            field=models.CharField(
                choices=[
                    ("none", "Not closed yet"),
                    ("due", "To be archived"),
                    ("stored", "Archived"),
                    ("unavailable", "The engine no longer had it"),
                ],
                default="none",
                max_length=12,
            ),
        ),
    ]
