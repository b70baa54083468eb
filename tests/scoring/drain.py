"""Drain (He et al. 2017, "Drain: an online log parsing approach with fixed depth tree"), as published, to compare with."""

from __future__ import annotations

from collections.abc import Iterable

WILD = "<*>"


def groups(lines: Iterable[str], depth: int = 4, similarity: float = 0.5, most_children: int = 100) -> list[int]:
    """The number of the group of each line, in order: a tree of length and first tokens leads to a leaf of groups; the most alike one is joined.

    Args:
        lines: masked messages.
        depth: of the tree, root and leaf counted; ``depth - 2`` tokens are looked at.
        similarity: share of equal tokens from which a line joins a group.
        most_children: of a node; further tokens share the child ``<*>``.
    """
    root: dict = {}
    found: list[list[str]] = []
    answer = []
    for line in lines:
        words = line.split()
        node = root.setdefault(len(words), {})
        for word in words[:depth - 2]:
            if any(c.isdigit() for c in word) or (word not in node and len(node) >= most_children):
                word = WILD
            node = node.setdefault(word, {})
        leaf = node.setdefault(None, [])
        best = max(leaf, key=lambda g: _alike(found[g], words), default=None)
        if best is None or _alike(found[best], words)[0] < similarity:
            best = len(found)
            found.append(words)
            leaf.append(best)
        else:
            found[best] = [a if a == b else WILD for a, b in zip(found[best], words, strict=True)]
        answer.append(best)
    return answer


def _alike(group: list[str], words: list[str]) -> tuple[float, int]:
    same = sum(a == b and a != WILD for a, b in zip(group, words, strict=True))
    return same / max(1, len(words)), group.count(WILD)
