"""The page of one run: what it says, to whom, at what cost, and that nothing in it acts."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Any

import pytest
from django.test import Client

from console.access.models import Role, User
from console.audit.services import Actor
from observability.engines.contracts import (
    DELETION,
    STATUS_TIMES,
    EventKind,
    FailureKind,
    Status,
)
from observability.engines.deletion import Deletion
from observability.engines.times import OLDER
from observability.jobs.models import JobRun
from quotas.enforcement.models import PlacementState, TargetState
from quotas.plans.models import Subscription
from quotas.plans.services.plans import create_plan
from tenants.models import Placement
from tests.observability.jobs.factories import (
    NOON,
    after,
    long_history,
    make_events,
    make_run,
    make_target,
    make_tenant,
    retried,
    seen,
)

pytestmark = pytest.mark.django_db
SignIn = Callable[[str], Client]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def sign_in() -> SignIn:
    """A browser in which somebody of a role is signed in."""

    def go(role: str) -> Client:
        client = Client()
        client.force_login(User.objects.create_user(f"a-{role}", role=role))
        return client

    return go


@pytest.fixture
def viewer(sign_in: SignIn) -> Client:
    """Somebody who may look."""
    return sign_in(Role.VIEWER)


def text_of(client: Client, run: JobRun, path: str = "", **query: Any) -> str:
    """The HTML of a page of the run."""
    response = client.get(f"/jobs/{run.pk}/{path}", query)
    assert response.status_code == 200, response.content[:300]
    return response.content.decode()


def test_a_run_says_whose_build_its_target_is_where_the_version_tells(viewer: Client) -> None:
    target = make_target("argo-eu", "argo")
    run = make_run(target, status=Status.RUNNING)
    assert 'class="tag"' not in text_of(viewer, run, "live/")
    TargetState.objects.create(target=target, version="v4.1.2+emulated")
    for path in ("", "live/"):
        assert ">emulated</span>" in text_of(viewer, run, path)


def test_a_failed_run_shows_the_kind_and_message_of_its_failure_on_top(viewer: Client) -> None:
    run = make_run(
        tenant=make_tenant(),
        status=Status.FAILED,
        attempts=3,
        failure="container main used 513 MiB",
        failure_kind=FailureKind.OUT_OF_MEMORY,
    )
    html = text_of(viewer, run)
    assert "Out of memory:" in html
    assert "container main used 513 MiB" in html
    assert "3 attempts" in html
    assert 'href="/tenants/acme/"' in html


def test_a_deletion_that_is_held_stands_in_place_of_an_overdue_clean_up(viewer: Client) -> None:
    held = Deletion(after(120), ("workflows.argoproj.io/artifact-gc",), "bucket does not exist")
    run = make_run(
        make_target("argo", "argo"),
        status=Status.FAILED,
        cleanup_at=after(70),
        attributes={DELETION: held.detail()},
    )
    html = text_of(viewer, run)
    assert "deletion asked" in html
    assert "held by finalizer workflows.argoproj.io/artifact-gc: bucket does not exist" in html
    assert "clean-up overdue" not in html
    run.cleaned_at = after(300)
    run.save()
    assert "deletion asked" not in text_of(viewer, run)


@pytest.mark.parametrize("status", [Status.RUNNING, Status.SUCCEEDED])
def test_a_job_whose_deletion_is_held_names_the_finalizer(viewer: Client, status: Status) -> None:
    held = Deletion(after(120), ("foregroundDeletion",), "pod a is held by finalizer example/keep")
    run = make_run(
        make_target("lab", "kubernetes"), status=status, attributes={DELETION: held.detail()}
    )
    html = text_of(viewer, run)
    assert "deletion asked" in html
    assert "held by finalizer foregroundDeletion: pod a is held by finalizer example/keep" in html


def test_a_run_whose_status_is_older_than_its_object_has_no_negative_time(viewer: Client) -> None:
    run = make_run(closed_at=NOON, duration_ms=0, attributes={STATUS_TIMES: OLDER})
    html = text_of(viewer, run)
    assert "Times of the status are older than the object." in html
    assert "Succeeded:" in html
    assert ", took" not in html
    assert "Succeeded in" not in html


def test_the_page_of_a_run_without_anything_is_not_empty(viewer: Client) -> None:
    html = text_of(viewer, make_run(status=Status.FAILED, attempts=0))
    assert "The engine recorded no message." in html
    assert "No events were recorded of this run." in html
    assert "unattributed" in html
    assert "This run belongs to no tenant" in html


def test_somebody_who_may_not_view_is_refused(sign_in: SignIn) -> None:
    client, run = sign_in(Role.NOBODY), make_run()
    for path in ("", "live/", "events/", "history/"):
        assert client.get(f"/jobs/{run.pk}/{path}").status_code == 403


def test_a_run_that_does_not_exist_is_a_404(viewer: Client) -> None:
    assert viewer.get("/jobs/999999/").status_code == 404


def test_the_actions_and_replays_come_from_their_own_addresses(viewer: Client) -> None:
    run = make_run()
    html = text_of(viewer, run)
    assert f'hx-get="/jobs/{run.pk}/actions/"' in html
    assert f'hx-get="/jobs/{run.pk}/replays/"' in html


def test_the_number_of_queries_does_not_grow_with_the_events(
    viewer: Client, django_assert_max_num_queries: Any
) -> None:
    counted = []
    for steps in (21, 300):
        run = make_run(tenant=make_tenant())
        make_events(run, long_history(steps))
        with django_assert_max_num_queries(34) as queries:
            text_of(viewer, run)
        counted.append(len(queries.captured_queries))
    assert counted[0] == counted[1]


@contextmanager
def counted_calls() -> Iterator[Counter[str]]:
    """How many functions run: the work that a page is, whatever the speed of the machine."""
    calls: Counter[str] = Counter()

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        if event in {"call", "c_call"}:
            calls[event] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield calls
    finally:
        sys.setprofile(before)


def test_ten_thousand_events_open_within_a_second(viewer: Client) -> None:
    run = make_run(tenant=make_tenant(), closed_at=after(2100))
    make_events(run, long_history(2000))
    text_of(viewer, run)  # templates are read once
    with counted_calls() as calls:
        html = text_of(viewer, run)
    assert "1,941 more steps are not drawn" in html
    assert len(html) < 600_000
    # Half of them, now; they take half a second of a busy processor.
    assert calls.total() < 1_200_000


def test_events_come_a_hundred_at_a_time_and_in_either_order(viewer: Client) -> None:
    run = make_run()
    make_events(run, long_history(50))
    newest = text_of(viewer, run)
    assert newest.count('class="event') >= 100
    assert newest.count('id="event-') == 100
    assert "step 9" in newest
    oldest = text_of(viewer, run, order="oldest")
    first = run.events.order_by("seq").first()
    assert first is not None
    assert f'id="event-{first.pk}"' in oldest
    assert f'id="event-{first.pk}"' not in newest


def test_every_event_is_on_exactly_one_page(viewer: Client) -> None:
    run = make_run()
    make_events(run, long_history(50))
    shown: list[str] = []
    cursor = ""
    for _ in range(3):
        response = viewer.get(f"/jobs/{run.pk}/events/", {"cursor": cursor}, headers=HTMX)
        shown += [part.split('"')[0] for part in response.content.decode().split('id="event-')[1:]]
        cursor = response.context["events"].page.next
    assert cursor == ""
    assert sorted(map(int, shown)) == sorted(run.events.values_list("pk", flat=True))


def test_events_are_filtered_by_kind_step_and_text(viewer: Client) -> None:
    run = make_run()
    make_events(run, [*retried("charge"), *retried("ship", start=60, first=20)])
    failures = text_of(viewer, run, kind="failures")
    assert failures.count('id="event-') == 2
    ship_failures = text_of(viewer, run, kind="failures", step="ship")
    assert ship_failures.count('id="event-') == 1
    assert text_of(viewer, run, text="paymentdown").count('id="event-') == 2
    assert "No event matches." in text_of(viewer, run, text="nothing like it")


def test_the_partial_is_a_page_for_whoever_opens_it(viewer: Client) -> None:
    run = make_run()
    response = viewer.get(f"/jobs/{run.pk}/events/", {"order": "oldest"})
    assert response.status_code == 302
    assert response["Location"] == f"/jobs/{run.pk}/?order=oldest#events"


def test_what_was_filtered_stays_in_the_address(viewer: Client) -> None:
    run = make_run()
    response = viewer.get(f"/jobs/{run.pk}/events/", {"kind": "failures"}, headers=HTMX)
    assert response["HX-Push-Url"] == f"/jobs/{run.pk}/?kind=failures"


def test_a_long_payload_is_cut_and_comes_in_full_when_asked_for(viewer: Client) -> None:
    run = make_run()
    detail = {"rows": ["0123456789"] * 400, "stack": "Traceback\n  at line 1"}
    (event,) = make_events(run, [seen(1, EventKind.ATTEMPT_FAILED, detail=detail)])
    html = text_of(viewer, run)
    assert "Traceback\n  at line 1" in html
    assert html.count("0123456789") < 150
    assert f"/jobs/{run.pk}/events/{event.pk}/" in html
    assert text_of(viewer, run, f"events/{event.pk}/").count("0123456789") == 400


def test_an_event_of_another_run_is_not_found_under_this_one(viewer: Client) -> None:
    run, other = make_run(), make_run()
    (event,) = make_events(other, [seen(1, EventKind.NOTE)])
    assert viewer.get(f"/jobs/{run.pk}/events/{event.pk}/").status_code == 404


def test_hostile_names_neither_act_nor_hide(viewer: Client) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=y>\u202egnp.exe\x1b[31m"
    run = make_run(
        type=evil[:200],
        external_id=evil + "x" * 900,
        run_id="<b>",
        worker=evil,
        queue=evil,
        location=evil,
        status=Status.FAILED,
        failure=evil,
        started_by=evil,
    )
    make_events(
        run,
        [
            seen(1, EventKind.ATTEMPT_FAILED, 1, title=evil, step=evil, step_name=evil, actor=evil),
            seen(2, EventKind.SIGNAL, 2, message=evil, detail={evil: evil, "stack": evil}),
        ],
    )
    for path in ("", "live/"):
        html = (
            text_of(viewer, run, path)
            if not path
            else viewer.get(f"/jobs/{run.pk}/{path}").content.decode()
        )
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert "onerror=y>" not in html
        assert "⟨U+202E⟩gnp.exe" in html


def test_an_open_run_is_looked_at_again_and_a_closed_one_is_not(viewer: Client) -> None:
    run = make_run(status=Status.RUNNING)
    JobRun.objects.filter(pk=run.pk).update(updated_at=after(10**9))
    html = text_of(viewer, run)
    assert 'hx-trigger="every 3s"' in html
    assert viewer.get(f"/jobs/{run.pk}/live/").status_code == 200
    JobRun.objects.filter(pk=run.pk).update(updated_at=NOON - timedelta(days=9))
    JobRun.objects.filter(pk=run.pk).update(created_at=NOON - timedelta(days=9))
    assert 'hx-trigger="every 20s"' in text_of(viewer, run)
    JobRun.objects.filter(pk=run.pk).update(status=Status.SUCCEEDED, closed_at=after(5))
    assert "jobs/1/live" not in text_of(viewer, run)
    assert viewer.get(f"/jobs/{run.pk}/live/").status_code == 286


def test_the_living_part_says_how_many_events_are_new(viewer: Client) -> None:
    run = make_run(status=Status.RUNNING)
    make_events(run, retried())
    html = viewer.get(f"/jobs/{run.pk}/live/", {"seen": "4"}).content.decode()
    assert "3 new events" in html
    assert 'id="run-plot" hx-swap-oob="innerHTML"' in html
    assert "new event" not in viewer.get(f"/jobs/{run.pk}/live/", {"seen": "7"}).content.decode()
    assert viewer.get(f"/jobs/{run.pk}/live/", {"seen": "²"}).status_code == 200


def test_an_admin_is_told_which_option_is_missing_and_others_only_that_it_is(
    sign_in: SignIn,
) -> None:
    run = make_run(make_target("temporal-eu"))
    admin = text_of(sign_in(Role.ADMIN), run)
    assert "/targets/temporal-eu/edit/" in admin
    assert "trace_url" in admin
    assert "/targets/temporal-eu/edit/" not in text_of(sign_in(Role.VIEWER), run)


def test_events_lead_to_the_engines_own_page_of_them(viewer: Client) -> None:
    target = make_target("eu", options={"ui_url": "https://temporal.example"})
    run = make_run(target, external_id="order/7", location="prod", run_id="r1")
    make_events(run, [seen(5, EventKind.SIGNAL, key="5"), seen(6, EventKind.NOTE, key="5:retry")])
    html = text_of(viewer, run)
    base = "https://temporal.example/namespaces/prod/workflows/order%2F7/r1"
    assert f'href="{base}/history/events/5"' in html
    assert html.count("/history/events/") == 1
    assert 'rel="noopener noreferrer"' in html


def test_what_is_refused_and_what_an_engine_says_stand_on_top_of_the_page(viewer: Client) -> None:
    cluster = make_target("k8s", "kubernetes")
    words = "requests.cpu: asked 2, used 3800m of 4"
    denials = {
        "count": 41,
        "first_at": NOON.isoformat(),
        "last_at": after(60).isoformat(),
        "kind": "quota",
        "by": "headroom",
        "words": words,
    }
    denied = make_run(
        cluster,
        status=Status.WAITING,
        failure=words,
        failure_kind=FailureKind.QUOTA,
        attributes={"denials": denials, "situation": "no pod of it has been created yet"},
    )
    make_events(denied, [seen(1, EventKind.DENIED, 0, message="asked 2, used 4 of 4")])
    text = text_of(viewer, denied)
    assert "Denied 41 times" in text
    assert f"Quota headroom: {words}" in text
    elsewhere = "managed by kueue.x-k8s.io/multikueue, pods in another cluster"
    managed = make_run(cluster, status=Status.RUNNING, attributes={"situation": elsewhere})
    assert f"M{elsewhere[1:]}." in text_of(viewer, managed)


def test_what_a_target_enforced_when_it_was_read_last_is_not_called_now(viewer: Client) -> None:
    cluster, tenant = make_target("k8s", "kubernetes"), make_tenant()
    limits = {"requests.cpu": 40_000}
    actor = Actor.person(User.objects.create_user("ann", role=Role.ADMIN))
    plan = create_plan(
        slug="gold",
        name="gold",
        limits=limits,
        actor=actor,
        reason="test",
        at=NOON - timedelta(hours=1),
    )
    Subscription.objects.create(tenant=tenant, version=plan, starts_at=NOON - timedelta(hours=1))
    placement = Placement.objects.create(tenant=tenant, target=cluster, location="acme")
    rows = {"requests.cpu": {"intended": 40_000, "enforced": 3_000}}
    PlacementState.objects.create(placement=placement, limits=rows, observed_at=after(90))
    text = text_of(viewer, make_run(cluster, tenant=tenant, location="acme"))
    assert "3 cores enforced there, as of" in " ".join(text.split())
    assert "2026-11-22 12:01:30 UTC" in text
    assert "enforced there now" not in text
