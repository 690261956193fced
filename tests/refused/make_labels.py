"""Writes tests/refused/labels/: label files that must be refused for a network of three classes. The name says why; what
stands between two dots is what the sentence must mention, blanks as underscores.

    python3 tests/refused/make_labels.py
"""
import pathlib
import shutil

FOLDER = pathlib.Path(__file__).parent / "labels"

FILES = {
    "empty.holds_no_names": b"",
    "only_a_byte_order_mark.holds_no_names": b"\xef\xbb\xbf",
    "only_blank_lines.holds_no_names": b"\n \r\n\n",
    "one_too_few.2_names_for_the_3_classes": b"a\nb\n",
    "one_too_many.4_names_for_the_3_classes": b"a\nb\nc\nd\n",
    "blank_line_inside.line_2": b"a\n\nb\nc\n",
    "latin_1.line_3": b"a\nb\ncaf\xe9\n",
    "utf_16.line_1": "a\nb\nc\n".encode("utf-16"),
    "overlong_utf_8.line_2": b"a\n\xc0\xaf\nc\n",
    "half_a_character_at_the_end.line_3": b"a\nb\n\xe2\x82",
    "zero_byte.line_2": b"a\nb\0\nc\n",
    "tabs.line_1": b"0\ta\n1\tb\n2\tc\n",
    "lone_carriage_returns.line_1": b"a\rb\rc",
    "double_id.line_3": b"0:a\n1:b\n1:c\n",
    "double_id.line_1": b"2:a\n1:b\n2:c\n",
    "missing_id.line_2": b"0:a\n2:b\n3:c\n",
    "missing_id.class_1_has_none": b"0:a\n2:b\n",
    "counted_from_one.line_3": b"1:a\n2:b\n3:c\n",
    "id_without_name.line_2": b"0:a\n1:\n2:c\n",
    "name_without_id.line_2": b"0:a\nb\n2:c\n",
    "id_too_long.line_2": b"0:a\n99999999999999999999:b\n2:c\n",
    "negative_id.line_2": b"0:a\n-1:b\n2:c\n",
    "csv_double_id.line_3": b"0,a\r\n1,b\r\n1,c\r\n",
    "csv_name_with_bare_comma.line_2": b"0,a\n1,b, b\n2,c\n",
    "csv_first_name_with_bare_comma.line_1": b"0,a, a\n1,b\n2,c\n",
    "csv_four_fields.line_1": b"0,n00000001,a,x\n",
    "csv_wnid_too_short.line_2": b"index,wnid,name\n0,n0000001,a\n",
    "csv_quote_not_closed.line_2": b'0,a\n1,"b\n2,c"\n',
    "csv_text_behind_a_quote.line_2": b'0,a\n1,"b"b\n2,c\n',
    "csv_quote_inside_a_name.line_2": b'0,a\n1,b"b\n2,c\n',
    "csv_name_with_a_line_break.line_3": b'index,name\n0,a\n1,"b\nb"\n2,c\n',
    "csv_field_missing.line_3": b"index,name\n0,a\n1\n2,c\n",
    "csv_name_missing.line_3": b"index,name\n0,a\n1,\n2,c\n",
    "csv_no_number.line_3": b"index,name\n0,a\nx,b\n2,c\n",
    "csv_header_only.holds_no_names": b"index,wnid,name\n",
    "csv_many_fields.line_1": b"0" + b"," * 40 + b"\n",
}

shutil.rmtree(FOLDER, ignore_errors=True)
FOLDER.mkdir()
for name, data in FILES.items():
    (FOLDER / f"{name}.txt").write_bytes(data)
