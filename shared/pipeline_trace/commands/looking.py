"""What the commands that look into this machine's store have in common."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from ..delivery import home
from ..lookup.lookup import Finder, NotFoundError
from . import fail


@contextmanager
def finder() -> Iterator[Finder]:
    """Yield what finds traces; that there is none is one line."""
    with closing(Finder(home.find(os.environ))) as found:
        try:
            yield found
        except NotFoundError as error:
            raise fail(str(error)) from None
