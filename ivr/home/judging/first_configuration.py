"""Who starts an installed wheel in an empty folder gets the shipped configuration there, to edit."""

from __future__ import annotations

from ivr import shipped
from ivr.home.settings import Settings


def is_due(settings: Settings) -> bool:
    """Tell whether the first start writes it.

    Only where nobody named a folder and nothing ever ran: a folder that is named and missing is a
    mistake, and so is one that has gone.  A checkout has its configuration beside the code; who
    starts it in another folder is in the wrong one.
    """
    named = "config" in settings.model_fields_set
    return (
        shipped.is_installed()
        and not named
        and not settings.config.exists()
        and not settings.running_config.exists()
    )


def write_if_due(settings: Settings) -> bool:
    """Write it, and tell whether it was written.

    Raises:
        OSError: it cannot be.
    """
    if not is_due(settings):
        return False
    shipped.write_configuration(settings.config)
    return True
