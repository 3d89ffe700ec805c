"""Who may what on this machine."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def is_own_file(path: Path) -> bool:
    """What may be closed without asking: a plain file of this user, and no link to somewhere else."""
    about = path.lstat()
    return stat.S_ISREG(about.st_mode) and (os.name != "posix" or about.st_uid == os.getuid())


def waits_for_login(group: str) -> bool:
    """The user is in the group, but has not logged in since."""
    try:
        import grp
        import pwd

        found = grp.getgrnam(group)
        return pwd.getpwuid(os.getuid()).pw_name in found.gr_mem and found.gr_gid not in os.getgroups()
    except (ImportError, KeyError):
        return False


def has_group(name: str) -> bool:
    """Whether this machine has a group of that name."""
    try:
        import grp

        grp.getgrnam(name)
    except (ImportError, KeyError):
        return False
    return True


def is_in_group(name: str) -> bool:
    """This process, as it is logged in; true also where there is no such group, which then keeps nobody out."""
    try:
        import grp

        return grp.getgrnam(name).gr_gid in {os.getegid(), *os.getgroups()}
    except (ImportError, KeyError):
        return True
