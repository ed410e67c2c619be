"""Giving memory back."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from console.access.models import User
from console.database.memory import give_back_memory


@pytest.mark.django_db(transaction=True)
def test_what_was_written_is_there_afterwards() -> None:
    User.objects.bulk_create(User(username=f"u{number}") for number in range(500))
    give_back_memory()
    assert User.objects.count() == 500
    assert connection.connection is not None


@pytest.mark.django_db(transaction=True)
def test_within_a_transaction_nothing_is_lost() -> None:
    with transaction.atomic():
        User.objects.create(username="ada")
        give_back_memory()
    assert User.objects.count() == 1
