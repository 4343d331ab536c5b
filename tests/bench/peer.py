"""A network in another program, timed: peer.py NAME REFERENCE CASE BATCH THREADS PRECISION CACHE

NAME is a function below. REFERENCE is the folder of the network in PyTorch, CASE one of its cases
(model.json, weights.safetensors, io.safetensors), CACHE a folder for what is compiled once. Answers
as time_model.c does: first the error of the output, then for each line of standard input, a number
of runs, the milliseconds of each. Each function below takes the network and its input and returns a
function that runs it: the setting is the fastest that the program's documentation names.
"""
import json
import os
import subprocess
import sys
import time

import numpy
import torch
from safetensors.torch import load_file


def in_precision(net, images, precision):
    """PyTorch's network and images."""
    return (it.to(torch.bfloat16) if precision == "bf16" else it for it in (net, images))


def eager(net, images, threads, precision, cache):
    net, images = in_precision(net, images, precision)
    return lambda: net(images).float().numpy()


def compiled(net, images, threads, precision, cache):
    """torch.compile with max-autotune, and weights as constants (freezing); convolutions over windows
    with channels last, for which oneDNN is fastest."""
    net, images = in_precision(net, images, precision)
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.join(cache, "inductor"))
    import torch._inductor.config
    torch._inductor.config.freezing = True
    if any(isinstance(op, torch.nn.Conv2d) and op.kernel_size != (1, 1) for op in net.modules()):
        net, images = (it.to(memory_format=torch.channels_last) for it in (net, images))
    fast = torch.compile(net, mode="max-autotune")
    return lambda: fast(images).float().numpy()


def onnx_file(net, images, cache):
    path = os.path.join(cache, f"batch{len(images)}.onnx")
    if not os.path.exists(path):
        program = torch.onnx.export(net, (images,), dynamo=True, verbose=False)
        program.save(path + ".new")
        os.rename(path + ".new", path)
    return path


def onnxruntime(net, images, threads, precision, cache):
    import onnxruntime as runtime
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = runtime.InferenceSession(onnx_file(net, images, cache), options,
                                       providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: images.numpy()}
    return lambda: session.run(None, feed)[0]


def openvino(net, images, threads, precision, cache):
    """The latency hint; float32, if that is asked for, also where the processor has less precise
    matrix units."""
    import openvino as ov
    model = ov.Core().read_model(onnx_file(net, images, cache))
    fast = ov.Core().compile_model(model, "CPU", {
        "INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY"})
    request, feed = fast.create_infer_request(), images.numpy()
    return lambda: request.infer([feed], share_inputs=True)[0]


def iree(net, images, threads, precision, cache):
    """Compiled for this processor at its highest optimisation level."""
    import iree.runtime as runtime
    stem = onnx_file(net, images, cache)[:-len(".onnx")]
    tools = os.path.dirname(sys.executable)
    if not os.path.exists(stem + ".vmfb"):
        subprocess.run([
            os.path.join(tools, "iree-import-onnx"), stem + ".onnx", "--opset-version", "17", "-o",
            stem + ".mlir"
        ], check=True, stdout=sys.stderr)
        subprocess.run([
            os.path.join(tools, "iree-compile"), stem + ".mlir", "-o", stem + ".vmfb.new",
            "--iree-hal-target-device=local", "--iree-hal-local-target-device-backends=llvm-cpu",
            "--iree-llvmcpu-target-cpu=host", "--iree-opt-level=O3"
        ], check=True, stdout=sys.stderr)
        os.rename(stem + ".vmfb.new", stem + ".vmfb")
    runtime.flags.parse_flags(f"--task_topology_group_count={threads}")
    config = runtime.Config("local-sync" if threads == 1 else "local-task")
    with open(stem + ".vmfb", "rb") as file:
        module = runtime.load_vm_module(
            runtime.VmModule.copy_buffer(config.vm_instance, file.read()), config)
    names = [name for name in module.vm_module.function_names if not name.endswith("$async")]
    function = module[names[0]]
    feed = runtime.asdevicearray(config.device, images.numpy())
    return lambda: function(feed).to_host()


def tvm(net, images, threads, precision, cache):
    """Its pipeline as it comes, for this processor; its search for schedules, hours for a network,
    is left out."""
    os.environ["TVM_NUM_THREADS"] = str(threads)
    import onnx
    import tvm as compiler
    from tvm import relax
    from tvm.relax.frontend.onnx import from_onnx
    module = from_onnx(onnx.load(onnx_file(net, images, cache)))
    target = compiler.target.Target(
        {"kind": "llvm", "mcpu": compiler.target.codegen.llvm_get_system_cpu()})
    with target:
        machine = relax.VirtualMachine(compiler.compile(module, target), compiler.cpu())
    feed = compiler.runtime.tensor(images.numpy())
    return lambda: machine["main"](feed).numpy()


def main():
    name, reference_folder, case, batch, threads, precision, cache = sys.argv[1:]
    sys.path.insert(0, reference_folder)
    import resnet_reference
    import san_reference
    torch.set_num_threads(int(threads))
    torch.set_grad_enabled(False)
    with open(os.path.join(case, "model.json")) as file:
        model = json.load(file)
    residual = model.get("family") == "resnet"
    net = (resnet_reference.ResNet if residual else san_reference.San)(model)
    net.load_state_dict(load_file(os.path.join(case, "weights.safetensors")), strict=False)
    net.eval()
    io = load_file(os.path.join(case, "io.safetensors"))
    images, expected = (io[name][:int(batch)] for name in ("input", "output"))
    images, expected = images.float().contiguous(), expected.numpy()
    os.makedirs(cache, exist_ok=True)
    run = globals()[name](net, images, int(threads), precision, cache)
    run()
    out = numpy.array(run(), dtype=numpy.float64)
    errors = numpy.linalg.norm(out - expected, axis=1) / numpy.linalg.norm(expected, axis=1)
    print("%.3e" % numpy.sort(errors)[len(errors) // 2], flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            run()
            times.append((time.perf_counter() - start) * 1e3)
        print(*("%.4f" % t for t in times), flush=True)


if __name__ == "__main__":
    main()
