"""Sign-in, my account, people."""

from __future__ import annotations

from django.urls import path

from console.access import views

app_name = "access"
urlpatterns = [
    path("sign-in/", views.sign_in, name="sign_in"),
    path("sign-out/", views.sign_out, name="sign_out"),
    path("account/", views.account, name="account"),
    path("account/password/", views.password, name="password"),
    path("account/tokens/<int:pk>/revoke/", views.revoke_token, name="revoke_token"),
    path("people/", views.people, name="people"),
    path("people/new/", views.invite, name="invite"),
    path("people/<int:pk>/role/", views.change_role, name="change_role"),
    path("people/<int:pk>/active/", views.set_active, name="set_active"),
    path("people/<int:pk>/password/", views.reset_password, name="reset_password"),
]
