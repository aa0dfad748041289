"""Which installation do the tests run against?

A fresh one: this is loaded before Django reads its settings. A DATABASE_URL or CELERY_BROKER_URL
from outside still counts, so the same tests run on a real database and broker.
"""

import atexit
import os
import shutil
import tempfile

_folder = tempfile.mkdtemp(prefix="piston-tests-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)

os.environ["PISTON_DATA_DIR"] = _folder
os.environ.setdefault("SECRET_KEY", "known to everybody: only for tests")
