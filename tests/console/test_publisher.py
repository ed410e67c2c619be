"""Messages go out in a thread of their own, once or never: nobody waits for a broker that hangs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextvars import ContextVar
from functools import partial

import pytest
from kombu.exceptions import OperationalError

from console import celery
from console.publisher import BrokerHangs, Publisher
from tests.waiting import until

BRIEF = 0.05  # clock: how long these tests wait for what hangs until they say otherwise


class Broker:
    """Takes messages, unless it hangs."""

    def __init__(self) -> None:
        self.wakes = threading.Event()
        self.wakes.set()
        self.messages: list[str] = []

    def take(self, message: str) -> None:
        """One message."""
        self.wakes.wait()
        self.messages.append(message)


@pytest.fixture
def broker() -> Iterator[Broker]:
    """It wakes at the end of the test."""
    broker = Broker()
    yield broker
    broker.wakes.set()


@pytest.fixture
def publisher() -> Publisher:
    """One that nothing else uses."""
    return Publisher()


def test_a_message_is_sent_before_publish_comes_back(publisher: Publisher, broker: Broker) -> None:
    publisher.publish(lambda: broker.take("a"), within=60)
    assert broker.messages == ["a"]


def test_what_goes_wrong_is_raised_where_it_was_handed_in(publisher: Publisher) -> None:
    def refused() -> None:
        raise OperationalError("connection refused")

    for _ in range(2):
        with pytest.raises(OperationalError, match="refused"):
            publisher.publish(refused, within=60)


def test_nobody_waits_for_a_broker_that_hangs_and_the_message_arrives_once(
    publisher: Publisher, broker: Broker
) -> None:
    broker.wakes.clear()
    with pytest.raises(BrokerHangs):
        publisher.publish(lambda: broker.take("a"), within=BRIEF)
    broker.wakes.set()
    until(lambda: broker.messages)
    publisher.publish(lambda: broker.take("b"), within=60)
    assert broker.messages == ["a", "b"]


def test_a_message_that_was_given_up_before_its_turn_is_never_sent(
    publisher: Publisher, broker: Broker
) -> None:
    broker.wakes.clear()
    for message in ("a", "b"):
        with pytest.raises(BrokerHangs):
            publisher.publish(partial(broker.take, message), within=BRIEF)
    broker.wakes.set()
    until(lambda: broker.messages)
    publisher.publish(lambda: broker.take("c"), within=60)
    assert broker.messages == ["a", "c"]


def test_while_one_message_is_stuck_the_next_are_not_even_waited_for(
    publisher: Publisher, broker: Broker
) -> None:
    broker.wakes.clear()
    with pytest.raises(BrokerHangs):
        publisher.publish(lambda: broker.take("a"), within=0.6)  # clock: longer than STUCK_SECONDS
    with pytest.raises(BrokerHangs, match="has not taken the last message"):
        publisher.publish(lambda: broker.take("b"), within=60)


def test_a_message_is_sent_as_whoever_had_it_sent(publisher: Publisher) -> None:
    who: ContextVar[str] = ContextVar("who", default="nobody")
    names: list[str] = []
    who.set("ann")
    publisher.publish(lambda: names.append(who.get()), within=60)
    assert names == ["ann"]


def test_enqueue_says_that_a_broker_hangs_and_raises_nothing(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(celery, "publisher", Publisher())
    monkeypatch.setattr(celery, "LONGEST_SECONDS", BRIEF)
    monkeypatch.setattr(celery.app, "send_task", lambda *_, **__: broker.take("a"))
    broker.wakes.clear()
    assert celery.enqueue("x.y", 1) is False
    broker.wakes.set()
    until(lambda: broker.messages)
    assert celery.enqueue("x.y", 1) is True
