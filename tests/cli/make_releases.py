"""Archives to fetch, and the table that publishes them: what cli/releases.c is to the command, for its test build.

    make_releases.py TINY_MODEL OUT.c FOLDER        the archives go into FOLDER

V1 comes with hostile company, V2 can be classified with, V3 is plain, V4 is there twice, Inception-ResNet-v2 has an MD5
only, GoogLeNet is no archive.
"""
import hashlib
import io
import random
import subprocess
import sys
import tarfile
from pathlib import Path


def content(seed, size):
    return random.Random(seed).randbytes(size)


def member(name, data=b"", kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(data), kind, link
    return info, data


def pack(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))


def company(name):
    """What a hostile archive may hold besides the weights called `name`."""
    evil = b"written by an archive"
    links = [member("elsewhere", kind=tarfile.SYMTYPE, link="/tmp"), member("elsewhere/inception-evil", evil),
             member(name, kind=tarfile.SYMTYPE, link="/etc/passwd"), member(name, kind=tarfile.LNKTYPE, link="README")]
    others = [member(name, kind=tarfile.DIRTYPE), member("pipe", kind=tarfile.FIFOTYPE),
              member("device", kind=tarfile.CHRTYPE)]
    places = ["/tmp/inception-evil", "../inception-evil", "a/../../inception-evil", f"sub/{name}", f"../{name}", f"/{name}",
              "x" * 300]
    return [member("README", b"harmless"), *(member(place, evil) for place in places), *links, *others]


def main():
    tiny, table, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    folder.mkdir(exist_ok=True)
    subprocess.run([tiny, str(folder / "tiny")], check=True)
    weights = {"inception_v1": content(1, 300000), "inception_v2": (folder / "tiny").read_bytes(),
               "inception_v3": content(3, 3000000), "inception_v4": content(4, 50000),
               "inception_resnet_v2": content(5, 70000), "googlenet": content(6, 200000)}
    rows = []
    for network, data in weights.items():
        name, archive = f"{network}.ckpt", folder / f"{network}.tar.gz"
        if network == "googlenet":
            name, archive = "bvlc.caffemodel", folder / "bvlc.caffemodel"
            archive.write_bytes(data)
        else:
            one = [member(name, data)]
            pack(archive, company(name) + one if network == "inception_v1" else one * (1 + (network == "inception_v4")))
        (folder / f"{network}.member").write_bytes(data)
        packed = archive.read_bytes()
        known = network != "inception_resnet_v2"
        digest = f'"{hashlib.sha256(packed).hexdigest()}", NULL' if known else f'NULL, "{hashlib.md5(packed).hexdigest()}"'
        rows.append(f'    {{"{network}", "http://127.0.0.1:9/none", "{archive.name}", "{name}", {known * len(packed)}, '
                    f'{known * len(data)},\n     {digest}, "licence of the test"}},\n')
    table.write_text('#include "cli.h"\n\nconst cli_release releases[] = {\n' + "".join(rows) +
                     "};\nconst size_t release_count = COUNT(releases);\n")


if __name__ == "__main__":
    main()
