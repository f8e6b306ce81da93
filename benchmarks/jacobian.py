"""Jacobians of a published ResNet-20 at 512 test images of CIFAR-10: ours, torch.func's, and the least work there is.

    OMP_NUM_THREADS=1 HTSR_MIRROR=DIR python benchmarks/jacobian.py [images]

Without a mirror: the network as initialized, on random images. Times are of one processor, in turns. The least work:
one forward pass and k - 1 backward passes to the input, of a network whose parameters are frozen, in blocks of 32.
Memory: the peak beyond what stood before, of new processes with 1024 and 2560 images, without a copy of the images and
without M.
"""

import io
import os
import statistics
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import torch
import yaml
from PIL import Image
from torch.func import jacrev, vmap

from htsr.jacobian.gradients import logit_gradients, prepared, softmax_jacobian
from htsr.jacobian.gram import gram, jacobian_matrices, jacobians
from htsr.models.download import place
from htsr.models.loading import load_state
from htsr.networks.published import NORMALIZATIONS, resnet_from_state
from htsr.networks.resnet import ResNet

REPETITIONS = 3
CONFIG = Path(__file__).parents[1] / "config"


def published(n: int) -> tuple[torch.nn.Module, torch.Tensor]:
    """The network, and n images of the test set (JPEG) as it wants them: n x 3 x 32 x 32."""
    folder = os.environ.get("HTSR_MIRROR")
    if not folder:
        torch.manual_seed(0)
        return ResNet(16, 20, (3, 32, 32), 10).eval(), torch.randn(n, 3, 32, 32)
    mirror = Path(folder)
    source = yaml.safe_load((CONFIG / "dataset" / "cifar10_jpeg.yaml").read_text())["source"]
    with zipfile.ZipFile(mirror / place(source["files"]["archive"]["url"])) as archive:
        names = sorted(name for name in archive.namelist() if "/test/" in name and name.endswith(".jpg"))
        names = names[:: len(names) // n][:n]
        pixels = np.stack([np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in names])
    mean, std = (torch.tensor(values)[:, None, None] for values in NORMALIZATIONS["akamaster"])
    images = (torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - mean) / std
    series = yaml.safe_load((CONFIG / "series" / "resnet_cifar10.yaml").read_text())["resnet_cifar10"]
    return resnet_from_state(load_state(mirror / place(series["models"]["resnet20"]["url"]))), images.contiguous()


def ours(network: torch.nn.Module, images: torch.Tensor) -> list[np.ndarray]:
    return [softmax_jacobian(*block[1:]) for block in logit_gradients(network, images)]


def gradients(network: torch.nn.Module, images: torch.Tensor) -> None:
    for _ in logit_gradients(network, images):
        pass


def by_torch_func(network: torch.nn.Module, images: torch.Tensor) -> list[np.ndarray]:
    """Softmax Jacobians by vmap(jacrev) of the network as it was read, 64 examples at a time."""
    jacobian = vmap(jacrev(lambda x: network(x[None])[0].softmax(0)))
    return [jacobian(x).detach().flatten(2).numpy() for x in images.split(64)]


def by_torch_func_at_best(network: torch.nn.Module, images: torch.Tensor) -> list[np.ndarray]:
    """The same without a graph for the parameters, 32 examples at a time, its fastest."""
    jacobian = vmap(jacrev(lambda x: network(x[None])[0].softmax(0)))
    with torch.no_grad():
        return [jacobian(x).flatten(2).numpy() for x in images.split(32)]


def least(network: torch.nn.Module, images: torch.Tensor) -> None:
    """With batch normalization folded and the channels of a pixel side by side, as ours."""
    network, images = prepared(network, images)
    for x in images.split(32):
        x = x.detach().requires_grad_()
        z = network(x)
        for c in range(1, z.shape[1]):
            torch.autograd.grad((z[:, c] - z[:, 0]).sum(), x, retain_graph=c + 1 < z.shape[1])


def memory(key: str) -> int:
    """A line of /proc/self/status in bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return 1024 * int(line.split()[1])


def extra_memory(n: int) -> float:
    """Peak memory of `jacobian_matrices` beyond what stood before, a copy of the images and the two M, in MB."""
    network, images = published(n)
    jacobian_matrices(network, images[:32])
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    jacobian_matrices(network, images)
    return (memory("VmHWM") - before - images.nbytes - 2 * 8 * n**2) / 1e6


def main(n: int) -> None:
    torch.set_num_threads(1)
    network, images = published(n)
    works = {
        "ours": ours,
        "ours, without the softmax": gradients,
        "vmap(jacrev)": by_torch_func,
        "vmap(jacrev), no parameters": by_torch_func_at_best,
        "the least work": least,
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work(network, images[:64])
    for _ in range(REPETITIONS):  # in turns, so that a busy machine slows all of them
        for name, work in works.items():
            start = time.process_time()
            work(network, images)
            times[name].append(time.process_time() - start)
    own = statistics.median(times["ours"])
    print(f"ResNet-20, {n} images, {os.uname().machine}, median of {REPETITIONS}, seconds of processor time")
    for name, found in times.items():
        median = statistics.median(found)
        print(f"  {name:28} {median:6.2f}  ({median / own:.2f} of ours; ours takes {own / median:.2f} of it)")
    few = images[: min(n, 128)]
    exact = np.concatenate([softmax_jacobian(*block[1:]) for block in logit_gradients(network, few, double=True)])
    for name, work in (("ours", ours), ("vmap(jacrev)", by_torch_func_at_best)):
        off = np.linalg.norm(np.concatenate(work(network, few)).astype(float) - exact, axis=(1, 2))
        off /= np.linalg.norm(exact, axis=(1, 2))
        print(
            f"  {name} in float32 against float64, {len(few)} images: relative error of half of them under "
            f"{np.median(off):.0e}, largest {off.max():.0e}; above 1e-5: {np.mean(off > 1e-5):.1%}, above 10 %: "
            f"{np.mean(off > 0.1):.1%}"
        )
    start = time.process_time()
    gradients_in_double = list(logit_gradients(network, few, double=True))
    double = (time.process_time() - start) / len(few) * n
    print(f"  in float64 about {double:.1f} s ({double / own:.1f} times), {len(gradients_in_double)} blocks measured")
    found = jacobians(network, images)
    start = time.process_time()
    gram(lambda *part: found.rows("softmax", *part), n)
    print(f"  M of the softmax from the gradients: {time.process_time() - start:.2f} s")
    for count in (1024, 2560):  # there are two whole panels of M from 1024 on
        run = subprocess.run([sys.executable, __file__, "--memory", str(count)], capture_output=True, check=True)
        print(f"  extra memory with {count} images: {run.stdout.decode().split()[-1]} MB", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        print(f"{extra_memory(int(sys.argv[2])):.0f}")
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 512)
