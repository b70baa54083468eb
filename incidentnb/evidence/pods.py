"""Pod names folded to the service they belong to, by Kubernetes' own naming rules and only where these leave no doubt."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

# Kubernetes writes random name parts with letters that spell no words (apimachinery, util/rand: SafeEncodeString); the hash of a
# ReplicaSet is a decimal number written with the first of them, so that only these ten characters can occur in it.
_HASH, _RANDOM = "[4-9bcdf]", "[bcdfghjklmnpqrstvwxz2456789]"
_REPLICA = re.compile(rf"^(.+)-(?:{_HASH}{{6,10}}|\d{{8,10}})-{_RANDOM}{{5}}$")  # Deployment: name, hash of its template, pod
_MEMBER = re.compile(rf"^(.+)-({_RANDOM}{{5}})$")  # DaemonSet, Job: name, pod
_ORDINAL = re.compile(r"^(.+)-(\d{1,4})$")  # StatefulSet: name, number from 0


def fold(names: Iterable[str]) -> dict[str, str]:
    """The service of every name; a name that is no pod's, or not surely, stands for itself.

    ``shop-5dc8d4f9fd-46997`` is a pod of the Deployment ``shop`` by its look alone. ``agent-x7k2p`` (DaemonSet) and ``db-0`` (StatefulSet)
    look like other names too: they are folded only beside another pod of the same set, the numbered ones only when they count from 0.
    """
    given = sorted(set(names))
    folded = {name: found[1] for name in given if (found := _REPLICA.match(name))}
    members, ordinals = defaultdict(list), defaultdict(list)
    for name in given:
        if name in folded:
            continue
        if found := _ORDINAL.match(name):
            ordinals[found[1]].append((int(found[2]), name))
        elif (found := _MEMBER.match(name)) and re.search(r"\d", found[2]):
            members[found[1]].append(name)
    for stem, numbered in ordinals.items():
        if [n for n, _ in sorted(numbered)] == list(range(len(numbered))) and len(numbered) > 1:
            folded |= {name: stem for _, name in numbered}
    for stem, pods in members.items():
        if len(pods) > 1:
            folded |= dict.fromkeys(pods, stem)
    return {name: folded.get(name, name) for name in given}
