"""One peer of peers.py, in a process of its own: loads a network, answers once, then measures when told to.

    contestant.py PEER MODEL PRECISION BATCH THREADS WIDTH HEIGHT PHOTOS

MODEL is what `inception convert` wrote: an ONNX file, for TensorFlow a checkpoint (with the network's name behind a
colon). PHOTOS: a folder of prepared ones to calibrate int8 with. Prints a line of JSON when ready: the logits of the first
of them. Then reads numbers of seconds, runs for so long at a time, and prints the milliseconds a photo of each run.

Each peer is one function that returns what turns an input into logits, set up as its documentation says is fastest."""
import argparse
import glob
import json
import os
import sys
import time

import numpy as np


def openvino(job):
    import openvino as ov
    core = ov.Core()
    if job.precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise SystemExit("no bf16 on this CPU")
    saved = os.path.splitext(job.model)[0] + ("-int8.xml" if job.precision == "int8" else "-f32.xml")
    model = core.read_model(saved if job.precision == "int8" and os.path.exists(saved) else job.model)
    if job.precision == "int8" and not os.path.exists(saved):
        import nncf
        photos = job.calibration()
        model = nncf.quantize(model, nncf.Dataset(photos), subset_size=len(photos))
    if not os.path.exists(saved):  # so that it is quantised once, and for the program that starts fresh
        model.reshape({"input": [1] + job.shape[1:]})
        ov.save_model(model, saved, compress_to_fp16=False)
    model.reshape({"input": job.shape})  # kernels are chosen for sizes that are known
    compiled = core.compile_model(model, "CPU", {
        "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": job.threads, "ENABLE_CPU_PINNING": True,
        "INFERENCE_PRECISION_HINT": "f32" if job.precision == "f32" else "bf16"})
    request = compiled.create_infer_request()
    return lambda x: request.infer({"input": x}, share_inputs=True, share_outputs=True)["logits"]


def onnxruntime(job):
    import onnxruntime as ort
    path = job.model
    if job.precision == "int8":
        path = os.path.splitext(job.model)[0] + "-int8.onnx"
        if not os.path.exists(path):
            from onnxruntime import quantization as q

            class Photos(q.CalibrationDataReader):
                left = iter(job.calibration())

                def get_next(self):
                    photo = next(self.left, None)
                    return None if photo is None else {"input": photo}
            q.quantize_static(job.model, path, Photos(), quant_format=q.QuantFormat.QDQ, per_channel=True,
                              activation_type=q.QuantType.QUInt8, weight_type=q.QuantType.QInt8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = job.threads
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_free_dimension_override_by_name("batch", job.batch)
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(["logits"], {"input": x})[0]


def torch(job):
    """The ONNX file's nodes up to the logits as modules: there are nine kinds, and the weights are the very same ones."""
    import onnx
    import torch as t
    from torch.nn import functional as f
    graph = onnx.load(job.model).graph
    weights = {w.name: t.from_numpy(onnx.numpy_helper.to_array(w).copy()) for w in graph.initializer}

    def padded(function, fill, pads):
        """`function` with padding as PyTorch takes it where both sides have the same, else done before."""
        top, left, bottom, right = pads
        if (top, left) == (bottom, right):
            return lambda x: function(x, (top, left))
        return lambda x: function(f.pad(x, (left, right, top, bottom), value=fill), (0, 0))

    class Network(t.nn.Module):
        def __init__(self):
            super().__init__()
            self.steps = []
            for node in graph.node:
                a = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
                inputs = [name for name in node.input if name not in weights]
                self.steps.append((self.step(node, a), inputs, node.output[0]))
                if node.output[0] == "logits":
                    break

        def step(self, node, a):
            kind, size, by, pads = node.op_type, a.get("kernel_shape"), a.get("strides"), a.get("pads")
            if kind == "Conv":
                w, b = (t.nn.Parameter(weights[name], requires_grad=False) for name in node.input[1:])
                self.register_parameter(node.input[1].replace(".", "_"), w)
                self.register_parameter(node.input[2].replace(".", "_"), b)
                return padded(lambda x, p: f.conv2d(x, w, b, by, p), 0.0, pads)
            if kind == "MaxPool" and pads[:2] == [0, 0] and set(pads[2:]) == {1}:  # the last window hangs over
                return lambda x: f.max_pool2d(x, size, by, ceil_mode=True)
            if kind == "MaxPool":
                return padded(lambda x, p: f.max_pool2d(x, size, by, p), -t.inf, pads)
            if kind == "AveragePool":
                assert pads[:2] == pads[2:]
                return lambda x: f.avg_pool2d(x, size, by, pads[:2], count_include_pad=False)
            return {
                "Transpose": lambda x: x.permute(0, 3, 1, 2), "Relu": f.relu, "Add": t.add,
                "Concat": lambda *x: t.cat(x, 1), "Flatten": lambda x: x.flatten(1),
                "LRN": lambda x: f.local_response_norm(x, a["size"], a["alpha"], a["beta"], a["bias"]),
            }[kind]

        def forward(self, x):
            values = {"input": x}
            for step, inputs, output in self.steps:
                values[output] = step(*(values[name] for name in inputs))
            return values["logits"]

    import torch._inductor.config as settings
    settings.freezing = True
    t.set_num_threads(job.threads)
    network = t.compile(Network().eval().to(memory_format=t.channels_last))

    def infer(x):
        with t.inference_mode(), t.autocast("cpu", t.bfloat16, enabled=job.precision == "bf16"):
            return network(t.from_numpy(x)).float().numpy()
    return infer


def tensorflow(job):
    """TF-Slim's definition, as far as its package has the networks, with the weights restored and then frozen."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow.compat.v1 as tf
    import tf_slim
    from tf_slim.nets import inception_v1, inception_v2, inception_v3
    tf.disable_eager_execution()
    path, name = job.model.rsplit(":", 1)
    module = {"inception_v1": inception_v1, "inception_v2": inception_v2, "inception_v3": inception_v3}[name]
    heads = {"create_aux_logits": False} if name == "inception_v3" else {}
    classes = tf.train.load_checkpoint(path).get_variable_to_shape_map()
    classes = next(shape[0] for key, shape in classes.items() if "Logits" in key and key.endswith("/biases"))
    # The first session of a process decides on the threads of all.
    threads = tf.ConfigProto(intra_op_parallelism_threads=job.threads, inter_op_parallelism_threads=1)
    with tf.Graph().as_default(), tf.Session(config=threads) as session:
        x = tf.placeholder(tf.float32, job.shape, "input")
        with tf_slim.arg_scope(getattr(module, name + "_arg_scope")()):
            logits, _ = getattr(module, name)(x, num_classes=classes, is_training=False, **heads)
        tf.identity(logits, "logits")
        tf.train.Saver().restore(session, path)
        frozen = tf.graph_util.convert_variables_to_constants(session, session.graph_def, ["logits"])
    tf.import_graph_def(frozen, name="")
    session = tf.Session(config=threads)
    return session.make_callable("logits:0", ["input:0"])


class Job:
    def __init__(self, model, precision, batch, threads, photos, width, height):
        self.model, self.precision, self.batch, self.threads = model, precision, batch, threads
        self.photos, self.shape = photos, [batch, height, width, 3]

    def calibration(self):
        """Prepared photos; noise where there are none, which is good enough to measure speed."""
        files = sorted(glob.glob(os.path.join(glob.escape(self.photos), "**", "*.npy"), recursive=True))[:300]
        noise = np.random.default_rng(1)
        return [np.load(file) for file in files] or [
            noise.uniform(-1, 1, [1] + self.shape[1:]).astype(np.float32) for _ in range(20)]


def measure(infer, x, seconds):
    times, end = [], time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        infer(x)
        times.append((time.perf_counter() - start) * 1e3 / len(x))
    return times


def main():
    words = argparse.ArgumentParser()
    words.add_argument("peer", choices=["openvino", "onnxruntime", "torch", "tensorflow"])
    words.add_argument("model")
    words.add_argument("precision")
    for name in ("batch", "threads", "width", "height"):
        words.add_argument(name, type=int)
    words.add_argument("photos")
    given = vars(words.parse_args())
    answers, sys.stdout = sys.stdout, sys.stderr  # peers talk
    infer = globals()[given.pop("peer")](job := Job(**given))
    x = np.repeat(job.calibration()[0], job.batch, 0)
    logits = np.array(infer(x))
    measure(infer, x, 1.0)
    print(json.dumps({"logits": logits[0].astype(float).tolist()}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(measure(infer, x, float(line))), file=answers, flush=True)


main()
