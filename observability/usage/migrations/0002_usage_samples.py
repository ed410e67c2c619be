"""The samples of use are called samples: "trail" is the history of a job."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0001_tenants_targets_and_placements'),
        ('usage', '0001_trails'),
    ]

    operations = [
        migrations.RenameModel(old_name='Trail', new_name='UsageSamples'),
        migrations.AlterField(
            model_name='usagesamples',
            name='placement',
            field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='usage_samples', to='tenants.placement'),
        ),
        migrations.RenameIndex(model_name='usagesamples', old_name='trail_slot', new_name='usage_samples_slot'),
    ]
