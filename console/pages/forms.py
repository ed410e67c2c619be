"""What the forms of pages have in common."""

from __future__ import annotations

from django.http import HttpRequest, QueryDict


def bound_data(request: HttpRequest) -> QueryDict | None:
    """What Django's forms take as `data`: that of a POST, None otherwise.

    An empty POST binds a form too, so that every required field is said.
    """
    return request.POST if request.method == "POST" else None
