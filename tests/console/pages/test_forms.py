"""What a page's form is bound to."""

from __future__ import annotations

from django.test import RequestFactory

from console.access.forms import ReasonForm
from console.pages.forms import bound_data


def test_a_form_that_is_only_shown_is_not_bound() -> None:
    request = RequestFactory().get("/", {"reason": "from the address"})
    assert bound_data(request) is None
    assert not ReasonForm(bound_data(request)).is_bound


def test_a_post_binds_the_form_even_when_it_is_empty() -> None:
    form = ReasonForm(bound_data(RequestFactory().post("/")))
    assert form.is_bound
    assert "reason" in form.errors


def test_what_was_posted_is_what_the_form_reads() -> None:
    form = ReasonForm(bound_data(RequestFactory().post("/", {"reason": "a good one"})))
    assert form.is_valid()
    assert form.cleaned_data["reason"] == "a good one"
