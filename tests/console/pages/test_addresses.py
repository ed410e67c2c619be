"""What leads back into the console, and what would lead out of it."""

import pytest
from django.test import RequestFactory

from console.pages.addresses import own_path, own_referer


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/audit/?a=b",
        "/jobs/?q=status%3Afailed+x",
        "/a//b",
        "/%2f%2fevil.example",
        "/tenants/é/",
    ],
)
def test_a_path_of_ours_is_kept_as_it_is(address: str) -> None:
    assert own_path(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "audit/",
        "?next=/",
        "#x",
        "//evil.example",
        "///evil.example",
        "////evil.example/x",
        "//127.0.0.1:18380/x",
        "/\\evil.example",
        "\\\\evil.example",
        "\\/evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        " //evil.example",
        "/ /evil.example",
        "/\x00/evil.example",
        "/\x7f/evil.example",
        "http://evil.example/",
        "http:evil.example",
        "http:///evil.example",
        "HTTPS://evil.example",
        "http://testserver/",
        "http://testserver@evil.example/",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "ftp://evil.example/",
        "//[::1",
        "/" + "a" * 2_000,
    ],
)
def test_what_could_lead_elsewhere_is_no_path_of_ours(address: str) -> None:
    assert own_path(address) == ""


@pytest.mark.parametrize(
    ("referer", "path"),
    [
        ("http://testserver/tenants/?q=a", "/tenants/?q=a"),
        ("https://testserver/tenants/", "/tenants/"),
        ("http://testserver", ""),
        ("http://testserver//evil.example", ""),
        ("http://testserver.evil.example/", ""),
        ("http://testserver@evil.example/", ""),
        ("http://testserver:81/", ""),
        ("http://evil.example/tenants/", ""),
        ("javascript:alert(1)//http://testserver/", ""),
        ("javascript://testserver/%0aalert(1)", ""),
        ("data:text/html,x", ""),
        ("//testserver/tenants/", ""),
        ("/tenants/", ""),
        ("http://[::1", ""),
        ("", ""),
    ],
)
def test_back_leads_to_a_page_of_this_server_only(referer: str, path: str) -> None:
    request = RequestFactory().get("/", headers={"Referer": referer} if referer else {})
    assert own_referer(request) == path
