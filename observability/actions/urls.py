"""Pages of this app. They stand before observability.jobs' in console.urls."""

from __future__ import annotations

from django.urls import path

from observability.actions.views import batches, orders, runs

app_name = "actions"

urlpatterns = [
    path("jobs/actions/", orders.order_list, name="list"),
    path("jobs/actions/batch/", batches.batch, name="batch"),
    path("jobs/actions/<int:pk>/", orders.order, name="order"),
    path("jobs/actions/<int:pk>/stop/", orders.order_stop, name="stop"),
    path("jobs/<int:pk>/actions/", runs.panel, name="panel"),
    path("jobs/<int:pk>/actions/<slug:verb>/", runs.ask, name="ask"),
]
