"""What the commands that look into this machine's store have in common."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from ..delivery import home
from ..lookup.lookup import Lookup, NotFoundError
from . import fail


@contextmanager
def open_lookup() -> Iterator[Lookup]:
    """Yield what finds traces; that there is none is one line."""
    with closing(Lookup(home.find_home(os.environ))) as found:
        try:
            yield found
        except NotFoundError as error:
            raise fail(str(error)) from None
