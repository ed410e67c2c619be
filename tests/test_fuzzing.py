"""The knob of the fuzz tests: some examples in `make test`, many in `make fuzz`."""

import pytest

from tests import fuzzing
from tests.fuzzing import fuzz_examples


@pytest.fixture(autouse=True)
def _neither_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(fuzzing.VARIABLE, raising=False)
    monkeypatch.setattr(fuzzing, "_at_large", False)


def test_a_run_of_all_tests_tries_the_default_and_a_quick_one_a_part_of_it() -> None:
    assert fuzz_examples() in (1_000, 250)
    assert fuzz_examples(8) in (8, 2)
    assert fuzz_examples(1) == 1


def test_a_run_of_fuzz_tests_alone_tries_the_large_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzzing, "_at_large", True)
    assert fuzz_examples() == 10_000
    assert fuzz_examples(default=5, large=60) == 60


def test_a_variable_overrules_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(fuzzing.VARIABLE, "37")
    assert fuzz_examples() == 37
    monkeypatch.setattr(fuzzing, "_at_large", True)
    assert fuzz_examples() == 37
