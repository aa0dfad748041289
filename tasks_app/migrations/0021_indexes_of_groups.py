"""Indexes and constraints of groups of calls."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tasks_app", "0020_groups_of_calls"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="effect",
            name="effect_state_fits_its_decision",
        ),
        migrations.RemoveConstraint(
            model_name="effect",
            name="effect_answer_says_what_it_is",
        ),
        migrations.RemoveIndex(
            model_name="effect",
            name="effect_sent",
        ),
        migrations.RemoveIndex(
            model_name="effect",
            name="effect_unsettled",
        ),
        migrations.AddIndex(
            model_name="effect",
            index=models.Index(
                condition=models.Q(("state__in", ["sent", "waiting", "known"])),
                fields=["task", "row_number"],
                name="effect_unrecorded",
            ),
        ),
        migrations.AddIndex(
            model_name="effect",
            index=models.Index(
                condition=models.Q(
                    ("state__in", ["sent", "waiting", "known", "done"]), _negated=True
                ),
                fields=["id"],
                name="effect_unsettled",
            ),
        ),
        migrations.AddConstraint(
            model_name="effect",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("decision", ""),
                        ("state__in", ["sent", "waiting", "known", "indeterminate"]),
                    ),
                    ("state", "done"),
                    models.Q(
                        models.Q(("decision", ""), _negated=True),
                        ("state__in", ["decided", "resent", "answered"]),
                    ),
                    _connector="OR",
                ),
                name="effect_state_fits_its_decision",
            ),
        ),
        migrations.AddConstraint(
            model_name="effect",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["known", "answered"]), _negated=True),
                    models.Q(("settled_as", ""), _negated=True),
                    _connector="OR",
                ),
                name="effect_answer_says_what_it_is",
            ),
        ),
    ]
