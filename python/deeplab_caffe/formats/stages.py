"""The stages of a net by the names of its layers: conv4, res4, and what follows them."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: layers that belong to the stage of the layer before them: pool4 to conv4's
_FOLLOWERS = re.compile(r"(relu|pool|norm|drop|bn|scale|bias)", re.IGNORECASE)
_STAGE = re.compile(r"([A-Za-z]+)(\d+)")


def stage_of(name: str) -> str:
    """The stage that the name of a layer begins with.

    Example:
        >>> [stage_of(name) for name in ("conv4_3", "res4b22_branch2a", "inception/a")]
        ['conv4', 'res4', 'inception']
    """
    stage = _STAGE.match(name)
    return stage[0] if stage else re.split(r"[_/]", name)[0]


def is_follower(name: str) -> bool:
    """Whether a layer of this name belongs to the stage of the layer before it, as pool4 does behind conv4_3."""
    return _FOLLOWERS.match(name) is not None


def stage_label(stage: str, names: Sequence[str], is_whole: bool) -> str:
    """What layers are called together: their stage, with the suffix that all share if they are not the whole stage.

    Example:
        >>> stage_label("res4", ["res4a_res05", "res4b_res05"], is_whole=False)
        'res4_res05'
    """
    suffix = names[0][len(names[0].rpartition("_")[0]) :]
    shared = len(suffix) > 1 and all(name.endswith(suffix) for name in names)
    return f"{stage}{suffix}" if shared and not is_whole else stage
