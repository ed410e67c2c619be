"""What somebody asks to be done is an action: rows, columns and indexes get the name it has on pages.

Django carries indexes and constraints over neither a renamed field nor a new name of theirs, so those
of the items are made anew; the indexes of actions keep their columns and are only renamed.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('actions', '0002_order_item_execution'),
    ]

    operations = [
        migrations.RemoveConstraint(model_name='orderitem', name='order_item_once'),
        migrations.RemoveIndex(model_name='orderitem', name='order_item_status'),
        migrations.RemoveConstraint(model_name='order', name='order_one_open_a_run'),
        migrations.RenameModel(old_name='Order', new_name='Action'),
        migrations.RenameModel(old_name='OrderItem', new_name='ActionItem'),
        migrations.RenameField(model_name='actionitem', old_name='order', new_name='action'),
        migrations.AlterField(
            model_name='action',
            name='run',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='actions', to='jobs.jobrun'),
        ),
        migrations.AlterField(
            model_name='action',
            name='target',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='actions', to='tenants.target'),
        ),
        migrations.AlterField(
            model_name='action',
            name='tenant',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='actions', to='tenants.tenant'),
        ),
        migrations.AlterField(
            model_name='actionitem',
            name='run',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='action_items', to='jobs.jobrun'),
        ),
        migrations.RenameIndex(model_name='action', old_name='order_created', new_name='action_created'),
        migrations.RenameIndex(model_name='action', old_name='order_run', new_name='action_run'),
        migrations.RenameIndex(model_name='action', old_name='order_open', new_name='action_open'),
        migrations.AddConstraint(
            model_name='action',
            constraint=models.UniqueConstraint(condition=models.Q(('selection', ''), ('status__in', ['asked', 'running'])), fields=('run',), name='action_one_open_a_run'),
        ),
        migrations.AddIndex(
            model_name='actionitem',
            index=models.Index(fields=['action', 'status', 'id'], name='action_item_status'),
        ),
        migrations.AddConstraint(
            model_name='actionitem',
            constraint=models.UniqueConstraint(fields=('action', 'run'), name='action_item_once'),
        ),
    ]
