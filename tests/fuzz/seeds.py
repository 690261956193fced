"""Writes what the fuzz targets start from: a folder for each, with good files of every kind made here (pictures by
ImageMagick's convert) and the refused ones, as the target wants them.

    python3 tests/fuzz/seeds.py FOLDER"""
import os
import pathlib
import struct
import subprocess
import sys

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "refused"), str(TESTS / "cli")]
import make_checkpoints as make  # noqa: E402
from make_releases import company, member, pack  # noqa: E402

SMALL = ["rose:", "-resize", "24x20!"]
PICTURES = {
    "plain.jpg": [], "grey.jpg": ["-colorspace", "gray"], "cmyk.jpg": ["-colorspace", "CMYK"],
    "progressive.jpg": ["-interlace", "JPEG"], "444.jpg": ["-sampling-factor", "4:4:4"],
    "440.jpg": ["-sampling-factor", "1x2"], "422.jpg": ["-sampling-factor", "4:2:2"],
    "turned.jpg": ["-orient", "LeftBottom"], "plain.png": [], "16.png": ["-depth", "16"], "grey.png": ["-colorspace", "gray"],
    "palette.png": ["-colors", "7", "-type", "Palette"], "alpha.png": ["-alpha", "set", "-channel", "A", "-evaluate", "set", "40%"],
    "interlaced.png": ["-interlace", "PNG"], "two.png": ["-monochrome"], "plain.gif": [], "interlaced.gif": ["-interlace", "GIF"],
    "transparent.gif": ["-transparent", "white"], "plain.bmp": [], "old.bmp": ["-define", "bmp:format=bmp2"],
    "palette.bmp": ["-colors", "200", "-compress", "None"], "runs.bmp": ["-colors", "9", "-compress", "RLE"],
    "alpha.bmp": ["-alpha", "set"], "lossy.webp": [], "lossless.webp": ["-define", "webp:lossless=true"],
    "alpha.webp": ["-alpha", "set", "-channel", "A", "-evaluate", "set", "40%"],
}
STATE = b'model_checkpoint_path: "a/model.ckpt-7"\nall_model_checkpoint_paths: "\\x62\\n"\nlast: 1.5e+9\n'


def pictures(folder):
    for name, options in PICTURES.items():
        made = folder / name
        subprocess.run(["convert", *SMALL, *options, str(made)], check=True, capture_output=True)
        data = made.read_bytes()
        made.write_bytes(data + bytes([0, 1]))  # the target's two last bytes
    for file in (TESTS / "refused" / "image").iterdir():
        (folder / file.name).write_bytes(file.read_bytes() + bytes(2))


def bundle_input(index, data):
    return struct.pack("<H", len(index)) + index + data


def weights():
    """target, name, bytes"""
    good = make.masked(make.FOUR)
    half = make.row([2], 8, checksum=make.masked(make.FOUR[:8]))
    back = make.row([2], 8, 8, checksum=make.masked(make.FOUR[8:]))
    first, second = [(0, 2)], [(2, 2)]
    halves = struct.pack("<2f", 1, 2)
    parts = make.saved("a", first, halves), make.saved("a", second, halves)
    yield "table", "good", make.v1(*make.GOOD)
    yield "table", "parts", make.v1([make.listed("a", [4])], *parts)
    yield "bundle", "good", bundle_input(make.bundle((b"a", make.row([4], 16, checksum=good))), make.FOUR)
    yield "bundle", "parts", bundle_input(make.bundle(
        (make.ordered("a", first), half), (make.ordered("a", second), back),
        (b"a", make.row([4], 0, pieces=[first, second]))), make.FOUR)
    yield "caffe", "good", make.caffe(make.caffe_blob([4]), make.caffe_blob([2, 2]))
    yield "safetensors", "good", make.safe(dict(a=make.tensor([4], 0, 16), __metadata__={"labels": "x\ny"}))
    yield "state", "good", STATE
    for final in "", "Mixed_4b":
        texts = ["k", "inception_v1", final, "3", "2", "1", "16", "224", "224", "0", "1", "1", "-inf", "0", "0", "cat", "dog", "n01", "n02"]
        yield "pack", f"good{final}", b"\0" + "".join(text + "\0" for text in texts).encode()
    texts = ["k", "inception_v1", "", "3", "2", "1", "16", "224", "224", "0", "1.5", "0", "0.5", "1024", "0", "cat", "dog", "n01", "n02"]
    yield "pack", "known", b"\0" + "".join(text + "\0" for text in texts).encode() + bytes(2 * 1024 * 4)
    texts[12:15] = "7.5", "1024", "1"
    yield "pack", "product", b"\0" + "".join(text + "\0" for text in texts).encode() + bytes(2 * 1024 * 4)
    yield "known", "good", b"\2\3\0\0" + b"0.5\0cosine\0" + struct.pack("<6f", *range(6))
    yield "known", "product", b"\2\3\0\0" + b"7.5\0product\0" + struct.pack("<6f", *range(6))
    yield "pack", "whole", b"\1INCPACK5" + bytes(40)
    yield "labels", "good", bytes([2, 8]) + b"a\nb\nc" + b"n01\nn02\nn03"
    yield "ranges", "good", b"-1 1 input\n0 2.5e+1 Conv2d_1a_3x3\n"
    yield "label_file", "plain", b"\6a\nb, b\nc\n"
    yield "label_file", "background", b"\x07\xef\xbb\xbf1:a\r\n2:b: b\r\n3:c\r\n"
    yield "label_file", "csv", b'\6index,wnid,name\n1,n00000001,"a ""a"", b"\n0,,b\n2,,c\n3,,d\n'
    yield "list", "lines", b"\xef\xbb\xbfa.jpg\r\nb c.png\n\n"
    yield "list", "zeros", b"a.jpg\0b\nc.png\0"
    yield "dataset", "classes", b'\xef\xbb\xbfx,label,file\r\n,rose,"a ""b"", c.jpg"\r\n1,tulip,/d.png\r\n,rose,e.jpg\r\n'
    yield "dataset", "labels", b"file,labels\na,red | blue\nb,\nc,red\nc,green\nc,red\n"
    yield "answers", "kitty", b"\033_Gi=31;OK\033\\\033P>|kitty(0.26.5)\033\\\033[6;20;10t\033[?62;c"
    yield "answers", "iterm", b"\033P>|iTerm2 3.4.19\033\\\033[4;480;640t\033[?62;4c"
    columns = b"file,rank,of,index,wnid,label,probability,logit,network,weights,crop,decode,unknown,error,file_base64"
    row = b'"a ""b"".jpg",1,1,3,n01,"tench, Tinca",0.5,1.5,inception_v3,,,,false,,'
    failed = b",,,,,,,,,,,,,no photo,Y2Fm6Q=="
    yield "append", "jsonl", b"\0" + b'{"file":"a","network":"inception_v3"}\n{"file":"b","error":"c"}\n{"fi'
    yield "append", "csv", b"\1" + b"\r\n".join([columns, row, b"caf" + failed, b"x"])
    yield "append", "tsv", b"\2" + b"\n".join([columns, row, b"caf" + failed, b""]).replace(b",", b"\t")


def archives(folder):
    one = member("m.ckpt", b"sixteen bytes ok")
    for ending, first in ("", 0), ("gz", 1), ("bz2", 2), ("xz", 3):
        made = folder / f"tar.{ending}"
        pack(made, company("m.ckpt") + [one], f"w:{ending}")
        made.write_bytes(bytes([first]) + made.read_bytes())


def main(root):
    targets = "image table bundle caffe safetensors state pack labels ranges known label_file list archive answers append dataset"
    for target in targets.split():
        (root / target).mkdir(parents=True, exist_ok=True)
    pictures(root / "image")
    archives(root / "archive")
    for target, name, data in weights():
        (root / target / name).write_bytes(data)
    for file in (TESTS / "refused" / "labels").iterdir():
        (root / "label_file" / file.name).write_bytes(b"\4" + file.read_bytes())
    endings = {".ckpt": "table", ".caffemodel": "caffe", ".safetensors": "safetensors", "": "state"}
    for path, _, names in os.walk(TESTS / "refused" / "checkpoint"):
        for file in (pathlib.Path(path) / name for name in names):
            data, target = file.read_bytes(), endings.get(file.suffix)
            if file.suffix == ".index":
                shard = file.with_suffix(".data-00000-of-00001")
                data, target = bundle_input(data, shard.read_bytes() if shard.exists() else b""), "bundle"
            if target:
                name = "-".join(file.relative_to(TESTS / "refused" / "checkpoint").parts)
                (root / target / name).write_bytes(data)


main(pathlib.Path(sys.argv[1]))
