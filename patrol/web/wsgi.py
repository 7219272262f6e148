"""What a WSGI server imports: the app on the settings of the environment."""

from patrol.settings import Settings
from patrol.station import Station
from patrol.web.app import create_app
from patrol.web.guard import set_up_logging

_settings = Settings.read()
set_up_logging(_settings.log_level)
app = create_app(Station.open(_settings, may_create=False))
