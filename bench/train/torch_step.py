"""Times one forward and backward pass of a Qwen2 of the given sizes for each line read; prints the seconds."""
import sys
import time

import torch
import torch.nn.functional as F

layers, width, heads, size, hidden, vocabulary, rows, length, threads = map(int, sys.argv[1:])
torch.set_num_threads(threads)
torch.manual_seed(1)


def weight(*dims):
    scale = 1 if len(dims) == 1 else dims[-1] ** -0.5
    return (torch.randn(*dims) * scale).requires_grad_()


embedding, last = weight(vocabulary, width), weight(width)
blocks = [
    dict(
        n1=weight(width), n2=weight(width),
        q=weight(heads * size, width), k=weight(heads * size, width), v=weight(heads * size, width),
        qb=weight(heads * size), kb=weight(heads * size), vb=weight(heads * size),
        o=weight(width, heads * size),
        gate=weight(hidden, width), up=weight(hidden, width), down=weight(width, hidden),
    )
    for _ in range(layers)
]
parameters = [embedding, last] + [p for block in blocks for p in block.values()]
tokens = torch.randint(vocabulary, (rows, length))
angles = torch.outer(torch.arange(length).float(), 1e6 ** (-torch.arange(0, size, 2).float() / size))
cos, sin = angles.cos(), angles.sin()
mask = torch.full((length, length), -1e9).triu(1)


def norm(x, gain):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * gain


def rotate(x):
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def split(x):
    return x.view(rows, length, heads, size).transpose(1, 2)


def step():
    x = embedding[tokens]
    for w in blocks:
        y = norm(x, w["n1"])
        q = rotate(split(F.linear(y, w["q"], w["qb"])))
        k = rotate(split(F.linear(y, w["k"], w["kb"])))
        v = split(F.linear(y, w["v"], w["vb"]))
        seen = F.softmax(q @ k.transpose(-1, -2) * size ** -0.5 + mask, -1) @ v
        x = x + F.linear(seen.transpose(1, 2).reshape(rows, length, heads * size), w["o"])
        y = norm(x, w["n2"])
        x = x + F.linear(F.silu(F.linear(y, w["gate"])) * F.linear(y, w["up"]), w["down"])
    logits = F.linear(norm(x[:, :-1], last), embedding)
    loss = F.cross_entropy(logits.reshape(-1, vocabulary), tokens[:, 1:].reshape(-1))
    torch.autograd.grad(loss, parameters)


step()
print("ready", flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    step()
    print(time.perf_counter() - start, flush=True)
