"""What decides what a photo is for, written a second time: train's tests and its golden check judge by it."""


def hash_of(name, seed=0):
    """FNV-1a of seed and name, MurmurHash3's finish."""
    x = 0xcbf29ce484222325
    for byte in seed.to_bytes(8, "little") + name.encode():
        x = (x ^ byte) * 0x100000001b3 % 2**64
    x = (x ^ x >> 33) * 0xff51afd7ed558ccd % 2**64
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53 % 2**64
    return x ^ x >> 33


def part_of(h):
    """What the hash of a photo's name says it is for: 0 training, 1 validation, 2 test."""
    cent = (2**64 - 1) // 100
    return 2 if h < 16 * cent else 1 if h < 30 * cent else 0


def split_labels(names, labels, seed=0):
    """Part of each photo (0 training, 1 validation, 2 test) where photos have sets of labels, as inception.h has it."""
    hashes = [hash_of(name, seed) for name in names]
    parts = [part_of(h) for h in hashes]
    groups = [{i for i, own in enumerate(labels) if (label in own) == with_it}
              for label in sorted(set().union(*labels)) for with_it in (True, False)]

    def held(group, part):
        return sum(parts[i] == part for i in group)
    for part in range(3):
        for group in groups:
            if held(group, part) or len(group) <= part:
                continue
            for i in sorted(group, key=lambda i: hashes[i], reverse=part == 0):
                if parts[i] > part or all(held(other, parts[i]) > 1 for other in groups if i in other):
                    parts[i] = part
                    break
    return parts
