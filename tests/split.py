"""The hash that decides what a photo is for, written a second time: train's tests and its golden check judge by it."""


def hash_of(name, seed=0):
    """FNV-1a of seed and name, MurmurHash3's finish."""
    x = 0xcbf29ce484222325
    for byte in seed.to_bytes(8, "little") + name.encode():
        x = (x ^ byte) * 0x100000001b3 % 2**64
    x = (x ^ x >> 33) * 0xff51afd7ed558ccd % 2**64
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53 % 2**64
    return x ^ x >> 33
