"""Writes tests/refused/image/: small files that must be refused. Their names say why, and how: those that begin with
limit_ by a limit, with unsupported_ as unsupported, the others as damaged.

    python3 tests/refused/make_images.py

All bytes are made here; nothing is cut from anybody's photo. Files that the fuzzer found are in crashes below.
"""
import pathlib
import struct
import zlib

FOLDER = pathlib.Path(__file__).parent / "image"


# ---- JPEG: 8x8 grey, one block of nothing ----

def segment(marker, data):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def frame(marker=0xC0, width=8, height=8, precision=8, components=1):
    parts = b"".join(bytes([i + 1, 0x11, 0]) for i in range(components))
    return segment(marker, struct.pack(">BHHB", precision, height, width, components) + parts)


def huffman(kind):
    return segment(0xC4, bytes([kind, 1] + [0] * 15 + [0]))


QUANTISATION = segment(0xDB, bytes([0] + [1] * 64))
TABLES = QUANTISATION + huffman(0x00) + huffman(0x10)
SCAN = segment(0xDA, bytes([1, 1, 0x00, 0, 63, 0]))
PIXELS = b"\x3f"
END = b"\xff\xd9"
START = b"\xff\xd8"
JPEG = START + TABLES + frame() + SCAN + PIXELS + END
DC_SCAN = segment(0xDA, bytes([1, 1, 0x00, 0, 0, 0])) + b"\x7f"

jpegs = {
    "jpeg_start_marker_only": START + b"\xff",
    "jpeg_cut_in_header": JPEG[:40],
    "jpeg_cut_before_scan": JPEG[:JPEG.index(SCAN)],
    "jpeg_cut_in_pixels": START + TABLES + frame(height=64) + SCAN + PIXELS,
    "jpeg_without_end_marker": JPEG[:-2],
    "jpeg_without_frame": START + TABLES + SCAN + PIXELS + END,
    "jpeg_without_quantisation_tables": START + huffman(0x00) + huffman(0x10) + frame() + SCAN + PIXELS + END,
    "jpeg_no_pixels": START + TABLES + frame(width=0) + SCAN + PIXELS + END,
    "jpeg_segment_longer_than_file": START + b"\xff\xe1\xff\xff" + TABLES,
    "jpeg_two_frames": START + TABLES + frame() + frame() + SCAN + PIXELS + END,
    "jpeg_huffman_table_overfull": START + QUANTISATION + segment(0xC4, bytes([0, 3] + [0] * 15 + [0, 1, 2])) +
    huffman(0x10) + frame() + SCAN + PIXELS + END,
    "limit_jpeg_pixels": START + TABLES + frame(width=65500, height=65500) + SCAN + PIXELS + END,
    "limit_jpeg_scans": START + TABLES + frame(marker=0xC2) + DC_SCAN * 600 + END,
    "unsupported_jpeg_12_bits": START + TABLES + frame(marker=0xC1, precision=12) + SCAN + PIXELS + END,
    "unsupported_jpeg_lossless": START + TABLES + frame(marker=0xC3) + SCAN + PIXELS + END,
    "unsupported_jpeg_two_components": START + TABLES + frame(components=2) +
    segment(0xDA, bytes([2, 1, 0x00, 2, 0x00, 0, 63, 0])) + PIXELS + END,
}


# ---- PNG ----

def chunk(kind, data, wrong=0):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ wrong)


def png(width=4, height=4, depth=8, kind=2, interlaced=0, wrong=0, between=b"", rows=None):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced), wrong)
    rows = zlib.compress(b"".join(b"\0" + bytes(12) for _ in range(4))) if rows is None else rows
    return b"\x89PNG\r\n\x1a\n" + header + between + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


PNG = png()
pngs = {
    "png_signature_only": PNG[:8],
    "png_cut_in_pixels": PNG[:-20],
    "png_cut_before_end_chunk": PNG[:-12],
    "png_wrong_checksum_of_header": png(wrong=1),
    "png_no_pixels": png(width=0),
    "png_no_palette": png(kind=3),
    "png_depth_3": png(depth=3),
    "png_pixels_not_compressed": png(rows=bytes(100)),
    "png_fewer_rows_than_said": png(height=400),
    "png_chunk_of_gigabytes": PNG[:33] + struct.pack(">I", 0x7FFFFFFF) + b"tEXta\0b" + PNG[33:],
    "png_header_twice": png(between=PNG[8:33]),
    "png_side_of_2_to_the_31": png(width=1 << 31),
    "limit_png_pixels": png(width=1 << 20, height=1 << 20),
    "limit_png_pixels_interlaced": png(width=0x7FFFFFFF, height=0x7FFFFFFF, interlaced=1),
}


# ---- GIF: 2x2, two colours ----

def gif(width=2, height=2, colours=b"\0\0\0\xff\xff\xff", frame_at=(0, 0, 2, 2), pixels=b"\x02\x03\x44\x02\x05\x00"):
    flags = 0x80 if colours else 0
    return (b"GIF89a" + struct.pack("<HHBBB", width, height, flags, 0, 0) + colours + b"," +
            struct.pack("<HHHHB", *frame_at, 0) + pixels + b";")


GIF = gif()
gifs = {
    "gif_signature_only": GIF[:6],
    "gif_cut_in_pixels": GIF[:-4],
    "gif_without_frame": GIF[:19] + b";",
    "gif_without_colours": gif(colours=b""),
    "gif_empty_frame": gif(frame_at=(0, 0, 0, 2)),
    "gif_code_size_12": gif(pixels=b"\x0c\x03\x44\x02\x05\x00"),
    "gif_code_not_in_table": gif(pixels=b"\x02\x03\xfc\xff\xff\x00"),
    "gif_unknown_record": GIF[:19] + b"?" + GIF[20:],
    "limit_gif_screen": gif(width=65535, height=65535),
    "limit_gif_frame": gif(frame_at=(65535, 65535, 65535, 65535)),
}


# ---- BMP: 2x2, 24 bits ----

def bmp(width=2, height=2, bits=24, compression=0, header=40, offset=54, pixels=bytes(16), tail=b""):
    info = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, offset) + info + tail + pixels


PALETTE = bytes(1024)
bmps = {
    "bmp_cut_in_header": bmp()[:30],
    "bmp_cut_in_pixels": bmp()[:-9],
    "bmp_no_pixels": bmp(width=0),
    "bmp_negative_width": bmp(width=-2),
    "bmp_pixels_begin_in_header": bmp(offset=20),
    "bmp_pixels_begin_past_the_end": bmp(offset=0xFFFFFFFF),
    "bmp_runs_without_end": bmp(bits=8, compression=1, offset=1078, tail=PALETTE, pixels=b"\x02\x00"),
    "bmp_runs_at_24_bits": bmp(compression=1),
    "bmp_runs_top_down": bmp(bits=8, compression=1, height=-2, offset=1078, tail=PALETTE),
    "bmp_jump_cut": bmp(bits=8, compression=1, offset=1078, tail=PALETTE, pixels=b"\x00\x02\x01"),
    "limit_bmp_pixels": bmp(width=0x7FFFFFFF, height=-0x80000000),
    "unsupported_bmp_7_bits": bmp(bits=7),
    "unsupported_bmp_jpeg_inside": bmp(bits=24, compression=4),
}


# ---- WebP ----

def riff(*chunks):
    body = b"WEBP" + b"".join(kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
                              for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def canvas(flags, width, height):
    return b"VP8X", bytes([flags, 0, 0, 0]) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]


LOSSLESS = b"\x2f\x00\x00\x00\x00\x88\x88\x08"  # 1x1
KEY_FRAME = b"\x10\x00\x00\x9d\x01\x2a\x02\x00\x02\x00"  # 2x2


def moving(x):
    place = struct.pack("<I", x)[:3] + bytes(9) + bytes(4)
    return b"ANMF", place + b"VP8L" + struct.pack("<I", len(LOSSLESS)) + LOSSLESS


webps = {
    "webp_signature_only": riff(),
    "webp_cut_in_chunk": riff((b"VP8 ", KEY_FRAME + bytes(40)))[:30],
    "webp_not_a_key_frame": riff((b"VP8 ", b"\x11" + KEY_FRAME[1:] + bytes(40))),
    "webp_lossless_wrong_signature": riff((b"VP8L", b"\x30" + LOSSLESS[1:] + bytes(8))),
    "webp_lossless_nothing_in_it": riff((b"VP8L", LOSSLESS[:5])),
    "webp_canvas_without_frame": riff(canvas(0, 2, 2)),
    "webp_animation_without_frame": riff(canvas(2, 2, 2), (b"ANIM", bytes(6))),
    "webp_frame_not_on_canvas": riff(canvas(2, 2, 2), (b"ANIM", bytes(6)), moving(5)),
    "limit_webp_canvas": riff(canvas(2, 65536, 65535), (b"ANIM", bytes(6)), moving(0)),
}

others = {
    "unsupported_text": b"This is not a photo.\n",
    "unsupported_two_letters_of_bmp": b"BMW is a company and not a picture",
    "empty": b"",
}

crashes = {}

FOLDER.mkdir(exist_ok=True)
for old in FOLDER.iterdir():
    old.unlink()
for name, data in {**jpegs, **pngs, **gifs, **bmps, **webps, **others, **crashes}.items():
    (FOLDER / name).write_bytes(data)
