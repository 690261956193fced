"""Checkpoints: files that TensorFlow writes, in both formats, read by `inception inspect` and copied value for value by
copy.c; the copies loaded by TensorFlow. Everything must be equal to the last bit.

From the project's root: python tests/golden/check_checkpoints.py [BUILD]"""
import json
import os
import shutil
import subprocess
import tempfile

import numpy as np

from oracle import BUILD, COMMAND, Tap

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow as tf  # noqa: E402

tf1 = tf.compat.v1
COPIER = os.path.join(BUILD, "tests", "copy")
TYPES = {"f32": np.float32, "f64": np.float64, "f16": np.float16, "bf16": tf.bfloat16.as_numpy_dtype, "i8": np.int8,
         "u8": np.uint8, "i16": np.int16, "u16": np.uint16, "i32": np.int32, "u32": np.uint32, "i64": np.int64,
         "u64": np.uint64, "bool": np.bool_}
tap = Tap()
random = np.random.default_rng(4711)


def values(kind, shape):
    if kind == "bool":
        return random.integers(0, 2, shape).astype(np.bool_)
    if kind[0] in "iu":
        info = np.iinfo(TYPES[kind])
        return random.integers(info.min, info.max, shape, TYPES[kind], endpoint=True)
    return np.asarray(random.normal(0, 3, shape)).astype(TYPES[kind])


def bits(array):
    array = np.asarray(array)
    return array.shape, array.dtype.name, array.tobytes()


def inspect(path):
    """name -> row of `inception inspect --json`."""
    answer = subprocess.run([COMMAND, "inspect", path, "--json"], capture_output=True, text=True, check=True)
    rows = json.loads(answer.stdout)
    return {row["name"]: row for row in (rows["tensors"] if isinstance(rows, dict) else rows)}


def check_inspect(name, path, tensors):
    if not os.path.exists(COMMAND):
        return tap.ok(False, f"{name}: inspect", "no command built")
    rows, bad = inspect(path), []
    for key, array in tensors.items():
        row = rows.get(key, {})
        wide = array.astype(np.float64)
        good = row.get("shape") == list(array.shape) and TYPES.get(row.get("type")) == array.dtype.type
        if good and array.size:
            wanted = [wide.min(), wide.max(), wide.mean()]
            good = np.allclose([row["min"], row["max"], row["mean"]], wanted, rtol=1e-9, atol=1e-12 * abs(wide).max())
        if not good:
            bad.append(f"{key}: {row}")
    tap.ok(not bad and len(rows) >= len(tensors), f"{name}: inspect lists {len(tensors)} tensors", "\n".join(bad[:5]))


def read_safetensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    tensors = {}
    for name, row in header.items():
        if name != "__metadata__":
            kind = TYPES[row["dtype"].lower()]
            piece = data[slice(*row["data_offsets"])]
            tensors[name] = np.frombuffer(piece, np.uint8).view(kind).reshape(row["shape"])
    return tensors


def check_copies(name, path, tensors, folder):
    """Our reader's values, written by our writers, read by others."""
    prefix = os.path.join(folder, "copy", name.replace(" ", "_"))
    os.makedirs(os.path.dirname(prefix), exist_ok=True)
    done = subprocess.run([COPIER, path, prefix], capture_output=True, text=True)
    if not tap.ok(done.returncode == 0, f"{name}: copied", done.stdout + done.stderr):
        return None
    loaded, other = tf.train.load_checkpoint(prefix), read_safetensors(prefix + ".safetensors")
    off = [key for key in tensors if bits(loaded.get_tensor(key)) != bits(tensors[key])]
    tap.ok(not off, f"{name}: TensorFlow loads the copy", off[:5])
    tap.ok(set(loaded.get_variable_to_shape_map()) == set(tensors), f"{name}: nothing more in the copy")
    off = [key for key in tensors if bits(other[key]) != bits(tensors[key])]
    tap.ok(not off and set(other) == set(tensors), f"{name}: safetensors copy", off[:5])
    return prefix


def write(path, tensors, version):
    names = sorted(tensors)
    data = [tf.constant(tensors[key]) for key in names]
    if version == 1:
        tf.raw_ops.Save(filename=path, tensor_names=names, data=data)
    else:
        tf.raw_ops.SaveV2(prefix=path, tensor_names=names, shape_and_slices=[""] * len(names), tensors=data)


def check_types(folder):
    tensors = {}
    for kind in TYPES:
        tensors[f"types/{kind}"] = values(kind, (5, 7))
        tensors[f"types/{kind}_scalar"] = values(kind, ())
        tensors[f"types/{kind}_empty"] = values(kind, (3, 0, 2))
    tensors["rank8"] = values("f32", (1, 2, 1, 3, 1, 2, 1, 2))
    tensors["large"] = values("f32", (400, 900))
    v1, v2 = os.path.join(folder, "types.ckpt"), os.path.join(folder, "types")
    old = {}
    for key in tensors:  # TensorFlow does not write every type to V1, nor empty tensors
        try:
            write(v1, {key: tensors[key]}, 1)
            old[key] = tensors[key]
        except tf.errors.OpError:
            pass
    print(f"# V1 does not take {sorted(set(tensors) - set(old))}")
    write(v1, old, 1)
    write(v2, dict(tensors, text=np.array([b"some", b"", b"strings" * 300]), complex=np.array([1 + 2j], np.complex64)), 2)
    for name, path, wanted in (("types V1", v1, old), ("types V2", v2, tensors)):
        check_inspect(name, path, wanted)
        check_copies(name, path, wanted, folder)


def check_same_bytes(folder):
    """Many tensors: several blocks in the index; equal to TensorFlow's file byte for byte."""
    tensors = {f"scope_{i % 97}/variable_{i}": values("f32", (i % 5, 3)) for i in range(7000)}
    path = os.path.join(folder, "many")
    write(path, tensors, 2)
    prefix = check_copies("many", path, tensors, folder)
    if prefix is None:
        return
    for end in (".index", ".data-00000-of-00001"):
        with open(path + end, "rb") as a, open(prefix + end, "rb") as b:
            tap.ok(a.read() == b.read(), f"many: {end} has TensorFlow's bytes")
    old = os.path.join(folder, "many.ckpt")
    some = {key: array for key, array in tensors.items() if array.size}
    write(old, some, 1)
    check_copies("many V1", old, some, folder)


def check_saver(folder, version):
    """A training graph: partitioned variables, a step, a directory with its state file."""
    here = os.path.join(folder, f"run{version}")
    os.mkdir(here)
    partitioners = {"rows": tf1.fixed_size_partitioner(3), "columns": tf1.fixed_size_partitioner(4, axis=1),
                    "bytes": tf1.variable_axis_size_partitioner(1000)}
    tensors = {"global_step": np.array(70000, np.int64), "plain": values("f32", (3, 4)), "scalar": values("f32", ())}
    with tf.Graph().as_default(), tf1.Session() as session:
        variables = [tf1.get_variable(key, initializer=tensors[key], use_resource=False) for key in tensors]
        for key, partitioner in partitioners.items():
            tensors[key] = None
            variables.append(tf1.get_variable(key, shape=(13, 4, 50), partitioner=partitioner, use_resource=False,
                                              initializer=tf1.random_normal_initializer()))
        session.run(tf1.global_variables_initializer())
        saver = tf1.train.Saver(write_version=version)
        path = saver.save(session, os.path.join(here, "model.ckpt"), global_step=70000)
        tensors = {key: session.run(tf.convert_to_tensor(variable)) for key, variable in zip(tensors, variables)}
        for name, given in ((f"saver V{version}", path), (f"saver V{version} directory", here)):
            check_inspect(name, given, tensors)
            copy = check_copies(name, given, tensors, folder)
        plain = tf1.train.Saver({key: v for key, v in zip(tensors, variables) if key in ("plain", "scalar")})
        session.run([v.assign(v * 0) for v in variables[1:3]])
        plain.restore(session, copy)
        tap.ok(all(bits(session.run(v)) == bits(tensors[k]) for k, v in zip(("plain", "scalar"), variables[1:3])),
               f"saver V{version}: Saver restores the copy")
    moved = here + " moved"
    shutil.move(here, moved)
    check_copies(f"saver V{version} moved", moved, tensors, folder)
    with open(os.path.join(moved, "checkpoint"), "w") as file:  # absolute, as Saver writes it for absolute folders
        file.write(f'model_checkpoint_path: "{here}/model.ckpt-70000"\n')
    check_copies(f"saver V{version} moved with absolute path", moved, tensors, folder)


def check_shards(folder):
    """Three data files in one checkpoint, one tensor spread over all of them."""
    parts, tensors = [], {}
    whole = values("f32", (9, 11))
    for i in range(3):
        parts.append(os.path.join(folder, f"part{i}"))
        tensors[f"shard{i}/x"] = values("f16", (i + 1, 3))
        tf.raw_ops.SaveV2(prefix=parts[i], tensor_names=[f"shard{i}/x", "whole"],
                          shape_and_slices=["", f"9 11 {3 * i},3:-"],
                          tensors=[tf.constant(tensors[f"shard{i}/x"]), tf.constant(whole[3 * i:3 * i + 3])])
    path = os.path.join(folder, "merged")
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts, destination_prefix=path)
    tensors["whole"] = whole
    tap.ok(os.path.exists(path + ".data-00002-of-00003"), "shards: TensorFlow wrote three data files")
    check_inspect("shards", path, tensors)
    check_copies("shards", path, tensors, folder)
    check_copies("shards by index", path + ".index", tensors, folder)
    check_copies("shards by data file", path + ".data-00001-of-00003", tensors, folder)


def check_bfloat16(folder):
    """A network written with --weights bf16: TensorFlow's cast, ties and all, of what has two dimensions or more."""
    plain, rounded = (os.path.join(folder, name) for name in ("plain.safetensors", "rounded.safetensors"))
    subprocess.run([os.path.join(BUILD, "tests", "tiny_model"), plain], check=True)
    with open(plain, "rb") as file:
        whole = bytearray(file.read())
    start = 8 + int.from_bytes(whole[:8], "little")
    numbers = np.frombuffer(whole, np.uint32, offset=start).copy()
    tied = random.random(numbers.size) < .3  # halfway between two neighbours, or as near to it as there is
    numbers[tied] = (numbers[tied] & 0xFFFF0000) + 0x8000 + random.integers(-1, 2, tied.sum()).astype(np.uint32)
    with open(plain, "wb") as file:
        file.write(whole[:start] + numbers.tobytes())
    done = subprocess.run([COMMAND, "convert", "--weights", "bf16", plain, rounded], capture_output=True, text=True)
    if not tap.ok(done.returncode == 0, "bfloat16: converted", done.stderr):
        return
    before, after = read_safetensors(plain), read_safetensors(rounded)
    wanted = {key: tf.cast(array, tf.bfloat16).numpy() if array.ndim > 1 else array for key, array in before.items()}
    off = [key for key in wanted if bits(after[key]) != bits(wanted[key])]
    tap.ok(not off and set(after) == set(wanted), "bfloat16: as TensorFlow rounds", off[:5])
    tap.ok(os.path.getsize(rounded) < .52 * os.path.getsize(plain), "bfloat16: half the size")


if os.path.exists(COPIER):
    with tempfile.TemporaryDirectory() as folder:
        check_types(folder)
        check_same_bytes(folder)
        check_saver(folder, 1)
        check_saver(folder, 2)
        check_shards(folder)
        check_bfloat16(folder)
else:
    tap.ok(False, "checkpoints", f"no {COPIER}")
tap.done()
