# SPDX-License-Identifier: Apache-2.0
"""manage.py of a site that has Django's own applications."""

import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line

NAMES = ("contenttypes", "auth", "admin", "sessions", "sites", "redirects", "flatpages")

settings.configure(
    INSTALLED_APPS=[f"django.contrib.{name}" for name in NAMES],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["SCHEMAS_DATABASE"],
            "OPTIONS": {"timeout": 20},
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    SITE_ID=1,
    SECRET_KEY="of a test",
)
execute_from_command_line(sys.argv)
