"""A closure table of the tree: one row per account and ancestor, at any distance.

So "an account and everything below it" is one indexed look-up in a tree of any size.
"""

from __future__ import annotations

from django.db import models

MAX_DEPTH = 100  # levels; a chain of n accounts has n²/2 links


class AccountLink(models.Model):
    """`descendant` is `depth` levels below `ancestor`; every account is 0 levels below itself."""

    ancestor = models.ForeignKey(
        "accounts.Account", on_delete=models.CASCADE, related_name="links_down", db_index=False
    )
    descendant = models.ForeignKey(
        "accounts.Account", on_delete=models.CASCADE, related_name="links_up", db_index=False
    )
    depth = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["ancestor", "descendant"], name="account_link_once"),
            models.CheckConstraint(
                condition=models.Q(depth__lte=MAX_DEPTH), name="account_link_depth_bounded"
            ),
        ]
        indexes = [
            models.Index(fields=["descendant", "depth", "ancestor"], name="account_link_up"),
        ]

    def __str__(self) -> str:
        return f"{self.descendant_id} is {self.depth} below {self.ancestor_id}"
