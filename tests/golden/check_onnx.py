"""ONNX: what `convert` writes passes ONNX's own checker, and ONNX Runtime and OpenVINO compute from it, one photo at a
time and three at once, the logits that our library computes and those that TensorFlow did (../shared/golden).

Tolerance: 1e-4 of the largest logit is the product's promise; 2e-6 was seen. Of probabilities, which are at most 1: 1e-4, twenty times what was seen."""
import json
import os
import struct
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import openvino

from oracle import BUILD, COMMAND, EXACT, ROOT, Tap, by_index, classify, data, run

NETS = {"v1": 1001, "v2": 1001, "v3": 1001, "v4": 1001, "resnet_v2": 1001, "googlenet": 1000}
# Name: network, classes, depth multiplier, input, perhaps where it is cut. Odd sizes: other paddings at the edges of every pool.
VARIANTS = {
    "v2, a quarter as wide": ("v2", 7, 0.25, (224, 224)),
    "v3, half as wide, of 300 classes": ("v3", 300, 0.5, (299, 299)),
    "v1 of 2 classes, 213 x 197": ("v1", 2, 1, (213, 197)),
    "v3 of 5 classes, 283 x 250": ("v3", 5, 1, (283, 250)),
    "resnet_v2 of 1 class, 299 x 255": ("resnet_v2", 1, 1, (299, 255)),
    "v2 of 4 labels, a quarter as wide": ("v2", 4, 0.25, (224, 224)),  # sigmoid
    "googlenet of 11 classes, 253 x 239": ("googlenet", 11, 1, (253, 239)),  # pools overhang on one axis only
    "v3 of 5 classes, cut behind Mixed_7a": ("v3", 5, 1, (299, 299), "Mixed_7a"),
    "googlenet of 4 classes, cut behind inception_4b, 253 x 239": ("googlenet", 4, 1, (253, 239), "inception_4b"),
}
tap = Tap()


def noise(path, seed):
    """A photo of random pixels, as BMP."""
    width, height = 320, 272
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8).tobytes()
    head = struct.pack("<IHHIIiiHHIIIIII", 54 + len(pixels), 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(b"BM" + head + pixels)


def set_texts(path, width, height, activation, final_layer=None):
    """Has the model file say that its network sees photos of that size, divides its logits, what comes then, and may be cut."""
    with open(path, "rb") as file:
        size, = struct.unpack("<Q", file.read(8))
        header, tensors = json.loads(file.read(size)), file.read()
    header["__metadata__"] = {"input_width": str(width), "input_height": str(height), "temperature": "1.75",
                              "activation": activation}
    if final_layer:
        header["__metadata__"]["final_layer"] = final_layer
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + tensors)


def runtimes(path):
    """Name -> what turns photos into {output: values}."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    exact = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2}
    compiled = openvino.Core().compile_model(path, "CPU", exact)
    return {
        "ONNX Runtime": lambda photos: dict(zip(names, session.run(None, {"input": photos}))),
        "OpenVINO": lambda photos: {name: np.array(compiled({"input": photos})[name]) for name in names},
    }


def shape_of(info):
    return [dim.dim_param or dim.dim_value for dim in info.type.tensor_type.shape.dim]


def check_file(name, path, network, classes, size):
    """The file is what others expect, and says what it is."""
    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path)
    graph, said = model.graph, {entry.key: entry.value for entry in model.metadata_props}
    ends = {value.name: shape_of(value) for value in [*graph.input, *graph.output]}
    wanted = {"input": ["batch", size[1], size[0], 3], "logits": ["batch", classes], "probabilities": ["batch", classes]}
    tap.ok(ends == wanted and model.opset_import[0].version >= 13, f"{name}: input, outputs, operator set", ends)
    caffe = network == "googlenet"
    good = said["network"].endswith(network) and said["classes"] == str(classes) and said["labels"].count("\n") == classes - 1
    good = good and said["preprocessing"] == ("caffe" if caffe else "slim") and said["input_width"] == str(size[0])
    tap.ok(good and ("BGR" in graph.input[0].doc_string) == caffe, f"{name}: the file says what it holds", said)
    left = {node.op_type for node in graph.node} & {"BatchNormalization", "Dropout", "Mul"}
    tap.ok(not left, f"{name}: norms and scales are in the weights", left)


def check_network(name, network, model, photos, classes, size, golden=None):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x.onnx")
        run(COMMAND, "convert", model, path)
        check_file(name, path, network, classes, size)
        ours = classify(model, photos, "-k", str(classes))
        logits, probabilities = (np.array([by_index(one, field) for one in ours]) for field in ("logit", "probability"))
        inputs = []
        for photo in photos:
            prepared = os.path.join(folder, "x.npy")
            run(COMMAND, "prepare", "-m", model, *EXACT, "-o", prepared, photo)
            inputs.append(np.load(prepared))
        inputs = np.concatenate(inputs)
        for runtime, infer in runtimes(path).items():
            whole = infer(inputs)
            single = np.concatenate([infer(inputs[i:i + 1])["logits"] for i in range(len(photos))])
            off = [np.abs(one - logits).max() / np.abs(logits).max() for one in (whole["logits"], single)]
            tap.ok(np.max(off) <= 1e-4, f"{name}: {runtime}, 3 photos at once and 1, gives our logits ({np.max(off):.1e})")
            off = np.abs(whole["probabilities"] - probabilities).max()
            tap.ok(off <= 1e-4, f"{name}: {runtime} gives our probabilities ({off:.1e})")
            if golden is not None:
                off = np.abs(whole["logits"] - golden).max() / np.abs(golden).max()
                tap.ok(off <= 1e-4, f"{name}: {runtime} gives TensorFlow's logits ({off:.1e})")


def check_likeness(model, photos, score, *network):
    """A model that tells what is none of its classes, by made-up means for a small network's features."""
    name = " ".join((score, *network))
    classes, random = 7, np.random.default_rng(5)
    run(os.path.join(BUILD, "tests", "tiny_model"), model, *network)
    with open(model, "rb") as file:
        header, tensors = json.loads(file.read(struct.unpack("<Q", file.read(8))[0])), file.read()
    with tempfile.TemporaryDirectory() as folder:
        npy, out = os.path.join(folder, "x.npy"), os.path.join(folder, "x.onnx")
        run(COMMAND, "features", "-m", model, *EXACT, "-o", npy, *photos)
        features = np.load(npy).astype(float).reshape(len(photos), -1)
        means = random.normal(0, 1, (classes, features.shape[1])).astype(np.float32)
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        header["class_means"] = {"dtype": "F32", "shape": list(means.shape),
                                 "data_offsets": [len(tensors), len(tensors) + means.nbytes]}
        tensors += means.tobytes()
        wanted = (features @ means.T.astype(float)).max(1) / (np.linalg.norm(features, axis=1) if score == "cosine" else 1)
        middle = float(np.sort(wanted)[:2].mean())  # above the least
        header["__metadata__"] = {"unknown_threshold": repr(middle), "unknown_score": score}
        text = json.dumps(header).encode()
        with open(model, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text + tensors)
        said = [one["unknown"] for one in classify(model, photos)]
        tap.ok(said == list(wanted < middle) and sum(said) == 1, f"likeness, {name}: classify tells what is below the threshold", said)
        run(COMMAND, "convert", model, out)
        onnx.checker.check_model(out, full_check=True)
        inputs = []
        for photo in photos:
            run(COMMAND, "prepare", "-m", model, *EXACT, "-o", npy, photo)
            inputs.append(np.load(npy))
        for runtime, infer in runtimes(out).items():
            found = infer(np.concatenate(inputs))["likeness"]
            off = np.abs(found - wanted).max() if found.shape == wanted.shape else found.shape
            tap.ok(np.all(off < 1e-4), f"likeness, {name}: {runtime} gives it ({off})")
        texts = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
        tap.ok(float(texts["unknown_threshold"]) == middle, f"likeness, {name}: the file says the threshold", texts["unknown_threshold"])


def main():
    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "model.safetensors")
        make = os.path.join(BUILD, "tests", "tiny_model")
        noisy = [os.path.join(folder, f"{i}.bmp") for i in range(3)]
        for i, path in enumerate(noisy):
            noise(path, i)
        article = [data("photos", "article", f"{name}.jpg") for name in ("sombrero", "coffee-mug", "squirrel")]
        known = os.path.exists(article[0])
        for net, classes in NETS.items():
            run(make, model, net, classes)
            size = (224, 224) if net in ("v1", "v2", "googlenet") else (299, 299)
            golden = data("golden", f"{net}_logits.npy")
            golden = np.load(golden) if known and os.path.exists(golden) else None
            check_network(net, net, model, article if known else noisy, classes, size, golden)
            if golden is None and net != "googlenet":
                tap.skip(f"{net}: TensorFlow's logits", "no test data")
        for name, (net, classes, multiplier, size, *cut) in VARIANTS.items():
            run(make, model, net, classes, multiplier, *cut)
            set_texts(model, *size, "sigmoid" if "labels" in name else "softmax", *cut)
            check_network(name, net, model, noisy, classes, size)
        for score in (("cosine",), ("product",), ("cosine", "v3", "7", "0.25")):  # V3's features come from its dropout
            check_likeness(model, noisy, *score)
        if os.path.exists(data("weights", "googlenet")):
            model = os.path.join(folder, "googlenet.caffemodel")
            run(sys.executable, os.path.join(ROOT, "tools", "googlenet_caffemodel.py"), data("weights", "googlenet"), model)
            check_network("the real googlenet", "googlenet", model, article, 1000, (224, 224))
        else:
            tap.skip("the real googlenet", "no test data")
    tap.done()


main()
