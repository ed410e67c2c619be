"""The last tick of each loop: what tells a system that is quiet from one that stands still."""

from __future__ import annotations

from django.db import models


class LoopTick(models.Model):
    """When one loop last did its round; any process may write it, any may read it."""

    name = models.CharField(max_length=60, unique=True)
    at = models.DateTimeField(null=True, help_text="Empty until it ran for the first time.")
    known_at = models.DateTimeField(help_text="When it was first expected to run.")

    def __str__(self) -> str:
        return f"{self.name} at {self.at}"


class Interruption(models.Model):
    """When a process was last started again, or lost its broker: over in seconds as a rule, and yet
    what somebody wants to know who looks for the cause of something else."""

    name = models.CharField(max_length=60, unique=True)
    at = models.DateTimeField(null=True, help_text="Empty until it happened again.")

    def __str__(self) -> str:
        return f"{self.name} at {self.at}"
