"""The settings of this installation, all read from the environment."""

from piston.settings.base import *  # noqa: F403
from piston.settings.celery import *  # noqa: F403
from piston.settings.database import *  # noqa: F403
from piston.settings.limits import *  # noqa: F403
from piston.settings.plugins import *  # noqa: F403
from piston.settings.storage import *  # noqa: F403
from piston.settings.web import *  # noqa: F403
