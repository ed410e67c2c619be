#!/usr/bin/env python3
"""Django's command line for Headroom."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

from console import linux

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    linux.prepare_process()
    execute_from_command_line(sys.argv)
