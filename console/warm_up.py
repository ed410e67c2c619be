"""What a web server loads at its start, so that nobody's request waits for it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import structlog
from django.template import TemplateDoesNotExist, TemplateSyntaxError, engines
from django.template.backends.django import DjangoTemplates
from django.utils.module_loading import import_string

log = structlog.get_logger(__name__)


def warm_up() -> None:
    """Imports every page and endpoint with all that they import, makes the OpenAPI document, and
    compiles every template. Never raises: what cannot be loaded says so when it is asked for."""
    try:
        import_string("console.rest.schema_view.document")()
        for engine in _engines():
            _ = engine.engine.template_context_processors  # imported where they are looked at
            for name in _templates(engine):
                _compile(engine, name)
    except Exception as error:
        log.exception("warm_up.failed", error=str(error))
    # What is there now stays: there is no need to look through it for what has gone.
    gc.collect()
    gc.freeze()


def _engines() -> Iterator[DjangoTemplates]:
    return (engine for engine in engines.all() if isinstance(engine, DjangoTemplates))


def _templates(engine: DjangoTemplates) -> Iterator[str]:
    for directory in map(Path, engine.dirs):
        for path in sorted(directory.rglob("*.html")):
            yield path.relative_to(directory).as_posix()


def _compile(engine: DjangoTemplates, name: str) -> None:
    try:
        engine.get_template(name)
    except (TemplateDoesNotExist, TemplateSyntaxError) as error:
        log.error("warm_up.template", name=name, error=str(error))
