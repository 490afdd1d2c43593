"""Configure Celery as nothing but a poke: the journal in PostgreSQL is the truth.

Any message may be lost or delivered twice without harm, so messages are acknowledged early, carry no
result, and no chain, chord or ETA is used. The switches that are off below are the ones after which
workers were seen to stop consuming in silence (celery#8091, celery#10205).
"""

import os

from celery import Celery
from celery.signals import setup_logging

from portal.logs import keep_celery_from_changing_logs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
setup_logging.connect(keep_celery_from_changing_logs)
