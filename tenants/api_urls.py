"""REST endpoints of this app."""

from __future__ import annotations

from django.urls import path

from tenants import api

urlpatterns = [
    path("tenants/<slug:slug>/members/", api.MemberList.as_view()),
    path("tenants/<slug:slug>/members/<int:pk>/", api.MemberDetail.as_view()),
    path("unreadable/", api.UnreadableList.as_view()),
]
