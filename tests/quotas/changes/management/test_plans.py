"""manage.py plans: export, diff, apply."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

from console.audit.models import ActorKind, Entry
from console.audit.services import Actor
from console.errors import DomainError
from quotas.changes.rules import document
from quotas.enforcement.models import Rollout
from quotas.plans.models import Plan, PlanVersion, Subscription
from tests.quotas.changes.memory_adapter import MemoryAdapter


def run(*words: str) -> tuple[int, str]:
    """Exit code and standard output of `manage.py plans …`."""
    out = io.StringIO()
    try:
        call_command("plans", *words, stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def file(tmp_path: Path, dataset: SimpleNamespace) -> Path:
    """Every plan, exported."""
    path = tmp_path / "plans.yaml"
    path.write_text(run("export")[1], encoding="utf-8")
    return path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_an_export_reads_as_people_write(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# version 1\nplan: standard\nname: Standard\nlimits:\n")
    assert "  requests.cpu: '40'\n" in text
    assert "  temporal.queue_rate: 20/s\n" in text


def test_export_diff_and_apply_go_round_without_change(file: Path) -> None:
    assert run("diff", str(file)) == (0, "standard: no change\n")
    before = Entry.objects.count()
    assert run("apply", str(file), "--reason", "again") == (0, "standard: no change\n")
    assert Entry.objects.count() == before
    assert run("export", "standard")[1] == file.read_text(encoding="utf-8")


def test_a_difference_is_said_and_ends_with_one(file: Path) -> None:
    edit(file, "requests.cpu: '40'", "requests.cpu: 1500m")
    edit(file, "  pods: '100'\n", "  services: unlimited\n")
    assert run("diff", str(file)) == (
        1,
        "standard: v1 → v2 for 3 tenants\n"
        "  - limits.pods: 100\n"
        "  ~ limits.requests.cpu: 40 → 1500m\n"
        "  + limits.services: unlimited\n",
    )
    assert PlanVersion.objects.count() == 1


def test_applying_publishes_and_rolls_out(file: Path, plane: MemoryAdapter) -> None:
    plane.memory.used["lab", "acme"] = {"requests.cpu": 35_000}
    edit(file, "requests.cpu: '40'", "requests.cpu: '30'")
    code, output = run("apply", str(file), "--reason", "too generous")
    rollout = Rollout.objects.get()
    assert code == 0
    assert "acme on lab uses 35 cores of CPU requests, the new limit is 30 cores" in output
    assert output.endswith(f"standard: published v2, rollout {rollout.pk} of 4 placements\n")
    held = Subscription.objects.filter(ends_at=None).values_list("version__number", flat=True)
    assert set(held) == {2}
    entry = Entry.objects.get(action="plan.version.publish")
    assert (entry.actor_kind, entry.reason) == (ActorKind.COMMAND, "too generous")
    assert entry.request_id
    assert run("diff", str(file))[0] == 0


def test_a_plan_that_is_not_there_is_created(tmp_path: Path, dataset: SimpleNamespace) -> None:
    path = tmp_path / "new.yaml"
    path.write_text("plan: tiny\nlimits: {pods: 3}\npolicy: {pod_security: restricted}\n")
    assert run("diff", str(path))[0] == 1
    run("apply", str(path), "--reason", "for trials")
    version = PlanVersion.objects.get(plan__slug="tiny")
    assert (version.number, version.policy["pod_security"]) == (1, "restricted")
    assert run("diff", str(path)) == (0, "tiny: no change\n")


def test_what_may_surprise_in_a_plan_is_told_before_anything_is_done(
    tmp_path: Path, dataset: SimpleNamespace
) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(
        "plan: small-disk\nlimits:\n  limits.ephemeral-storage: 600Mi\n"
        "  pod.max.ephemeral-storage: 512Mi\n"
    )
    code, output = run("diff", str(path))
    assert code == 1
    assert (
        "  ! pod.max.ephemeral-storage refuses pods that name no limit, and the plan gives no"
        " default that fits, so containers are given 512Mi by container.default.ephemeral-storage;"
        " a pod that writes more to its local disk, logs included, is evicted.\n"
    ) in output


def test_new_texts_need_no_new_version(file: Path) -> None:
    edit(file, "name: Standard", "name: The usual\ndescription: For most")
    assert run("apply", str(file), "--reason", "nicer")[0] == 0
    plan = Plan.objects.get()
    assert (plan.name, plan.description, plan.versions.count()) == ("The usual", "For most", 1)


def test_a_version_in_the_file_guards_against_other_editors(file: Path) -> None:
    edit(file, "plan: standard\n", "plan: standard\nversion: 1\n")
    edit(file, "pods: '100'", "pods: '50'")
    run("apply", str(file), "--reason", "fewer")
    edit(file, "pods: '50'", "pods: '60'")
    with pytest.raises(CommandError, match="a command published version 2") as refused:
        run("apply", str(file), "--reason", "more")
    assert refused.value.returncode == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no plan"),
        ("plan: [", "not YAML at line 1"),
        ("- a", "use a mapping with plan and limits"),
        ("limits: {}", "name the plan by its slug"),
        ("plan: a\ncolour: red\nlimits: {}", "use plan, name, description"),
        ("plan: a", "limits: 'None' is not accepted"),
        ("plan: a\nlimits: {cpu: lots}", "a: requests.cpu: 'lots'"),
        ("plan: a\nlimits: {memory: 400m}", "400m is 0.4 bytes; did you mean 400Mi?"),
        ("plan: a\nlimits: {cpu: 100Mi, pods: 1}", "did you mean requests.memory 100Mi?"),
        ("plan: a\nlimits:\n  pods: 010", "limits.pods in line 3: 010 is read as 8 by YAML 1.1"),
        ("plan: a\nlimits:\n  pods: 1\n  pods: 2", "limits.pods in line 4: it stands twice"),
        ("plan: a\nlimits: {pods: }", "a: pods: no value; write how much, or unlimited"),
        ("plan: a\nlimits: {podz: 1}", "'podz' is not a limit"),
        ("plan: a\nlimits: {}\nversion: new", "use the number of the latest version"),
        ("plan: a\nlimits: {}\nversion: 3", "leave the version out"),
        ("plan: a\nlimits: {}\nname: 3", "use a text"),
        ("plan: a\nlimits: {}\npolicy: {pod_security: x}", "a: policy.pod_security"),
        ("plan: a\nlimits: {}\n---\nplan: a\nlimits: {}", "names each plan once"),
        ("plan: A b\nlimits: {}", "DNS-1123"),
    ],
)
def test_a_bad_file_is_an_error_that_says_where(
    tmp_path: Path, dataset: SimpleNamespace, text: str, message: str
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CommandError) as refused:
        run("apply", str(path), "--reason", "because")
    assert message in str(refused.value)
    assert refused.value.returncode == 2
    assert not Plan.objects.exclude(slug="standard").exists()


def test_a_file_or_plan_that_is_not_there_is_an_error(dataset: SimpleNamespace) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        run("diff", "nowhere.yaml")
    with pytest.raises(CommandError, match="There is no plan gold"):
        run("export", "gold")


def test_a_reason_is_asked_for(file: Path) -> None:
    with pytest.raises(CommandError, match="at least 3 characters"):
        run("apply", str(file), "--reason", "x")


def test_standard_input_is_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(file.read_text(encoding="utf-8")))
    assert run("diff", "-") == (0, "standard: no change\n")


def test_exceptions_go_round_exactly() -> None:
    text = (
        "plan: a\nlimits: {}\npolicy:\n  network_exceptions:\n"
        "  - {name: dns, direction: egress, namespace: kube-system, ports: [[UDP, 53]]}\n"
    )
    (first,) = document.load(text)
    (again,) = document.load(document.dump([first]))
    assert again == first


def test_a_failed_publication_leaves_no_draft_behind(
    file: Path, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise DomainError("broken", "It broke.")

    monkeypatch.setattr("quotas.changes.services.proposals.create_rollout", fail)
    edit(file, "pods: '100'", "pods: '50'")
    with pytest.raises(CommandError, match="It broke"):
        run("apply", str(file), "--reason", "fewer")
    assert PlanVersion.objects.count() == 1
