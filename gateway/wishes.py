"""What a command asks of a gateway that is running: only the gateway writes its store, so the command leaves a wish in its folder.

A wish is an empty file with a known name; asking twice is asking once. The gateway looks every ten seconds, and removes what
it does.
"""

from __future__ import annotations

from pathlib import Path

from gateway.ownership import hand_over

AUDIT = "audit"
RESEND = "resend"  # the dead letters
KNOWN = (AUDIT, RESEND)


def ask(folder: Path, wish: str) -> None:
    """`folder` is the gateway's state_dir."""
    place = folder / "wishes"
    place.mkdir(exist_ok=True)
    hand_over(place)  # whose folder it is may remove what is in it, whoever made it
    (place / wish).touch()  # and from here on it may be gone


def take(folder: Path) -> list[str]:
    """All wishes that are there, none of them any more."""
    found = []
    for wish in KNOWN:
        try:
            (folder / "wishes" / wish).unlink()
        except OSError:  # not there, or not ours to remove
            continue
        found.append(wish)
    return found
