"""Where a rule of lint is described: on the site of the documentation, or in the file that comes with the package."""

from __future__ import annotations

from functools import lru_cache

from ..package_files import packaged

_PAGE = "docs/lint-rules.md"


def link_to(rule: str, site: str = "") -> str | None:
    """The address of a rule's description.

    Args:
        rule: its name.
        site: where the documentation is served; "" for the file in the package, at the rule's line, which editors
            open as text.

    Returns:
        None if there is no such file.

    Example:
        >>> link_to("dilation-pad", "https://example.org/docs/")
        'https://example.org/docs/lint-rules.html#dilation-pad'
    """
    if site:
        return f"{site.rstrip('/')}/lint-rules.html#{rule}"
    lines = _lines()
    return f"{packaged(_PAGE).as_uri()}#L{lines[rule]}" if rule in lines else None


@lru_cache(maxsize=1)
def _lines() -> dict[str, int]:
    """The line of each rule's heading, counted from 1."""
    try:
        text = packaged(_PAGE).read_text(encoding="utf-8")
    except OSError:
        return {}
    heads = enumerate(text.splitlines(), 1)
    return {line[4:-1]: number for number, line in heads if line.startswith("## `")}
