"""Losses and gradient norms of 50 steps of a small decoder in PyTorch: the golden numbers of
tests/unit/engine/training/torch_golden_test.cc. Weights and tokens come from a formula that both sides have.
Debian: apt-get install python3-torch; python3 tests/golden/torch_decoder.py
"""
import math

import torch
import torch.nn.functional as F

LAYERS, WIDTH, HEADS, KV_HEADS, FFN, VOCAB, BATCH, CONTEXT, STEPS = 2, 64, 4, 2, 96, 128, 4, 32, 50
HEAD_DIM = WIDTH // HEADS
PEAK, FINAL, WARMUP = 3e-3, 0.1, 5


def scrambled(index, stream):
    x = (index * 2654435761 + stream * 40503 + 12345) % 2**32
    x ^= x >> 16
    x = x * 2246822519 % 2**32
    return x ^ (x >> 13)


streams = iter(range(1000))


def weights(rows, cols):
    stream = next(streams)
    values = [(scrambled(i, stream) % 2001 - 1000) * 0.0001 for i in range(rows * cols)]
    return torch.tensor(values).reshape(rows, cols).requires_grad_()


def norm_weight(width):
    next(streams)
    return torch.ones(width).requires_grad_()


embedding = weights(VOCAB, WIDTH)
layers = []
for _ in range(LAYERS):
    layers.append(dict(
        attention_norm=norm_weight(WIDTH), q=weights(WIDTH, WIDTH), k=weights(KV_HEADS * HEAD_DIM, WIDTH),
        v=weights(KV_HEADS * HEAD_DIM, WIDTH), o=weights(WIDTH, WIDTH), ffn_norm=norm_weight(WIDTH),
        gate=weights(FFN, WIDTH), up=weights(FFN, WIDTH), down=weights(WIDTH, FFN)))
output_norm = norm_weight(WIDTH)

angles = torch.outer(torch.arange(CONTEXT).float(),
                     1.0 / 10000 ** (torch.arange(0, HEAD_DIM, 2).float() / HEAD_DIM))
cosines, sines = angles.cos(), angles.sin()
mask = torch.full((CONTEXT, CONTEXT), float('-inf')).triu(1)


def norm(x, weight):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * weight


def heads(x, count):
    return x.view(BATCH, CONTEXT, count, HEAD_DIM).transpose(1, 2)


def rotate(x):
    a, b = x[..., :HEAD_DIM // 2], x[..., HEAD_DIM // 2:]
    return torch.cat([a * cosines - b * sines, a * sines + b * cosines], -1)


def losses(tokens, targets):
    x = embedding[tokens]
    for layer in layers:
        n = norm(x, layer['attention_norm'])
        q, k, v = rotate(heads(n @ layer['q'].T, HEADS)), rotate(heads(n @ layer['k'].T, KV_HEADS)), \
            heads(n @ layer['v'].T, KV_HEADS)
        k, v = (t.repeat_interleave(HEADS // KV_HEADS, 1) for t in (k, v))
        p = F.softmax(q @ k.transpose(-1, -2) / math.sqrt(HEAD_DIM) + mask, -1)
        x = x + (p @ v).transpose(1, 2).reshape(BATCH, CONTEXT, WIDTH) @ layer['o'].T
        n = norm(x, layer['ffn_norm'])
        x = x + (F.silu(n @ layer['gate'].T) * (n @ layer['up'].T)) @ layer['down'].T
    return F.cross_entropy((norm(x, output_norm) @ embedding.T).view(-1, VOCAB), targets.reshape(-1))


def batch(step):
    rows = []
    for b in range(BATCH):
        row = [scrambled(step * BATCH + b, 900) % VOCAB]
        for t in range(CONTEXT):
            row.append((5 * row[-1] + 7 + scrambled((step * BATCH + b) * CONTEXT + t, 901) % 3) % VOCAB)
        rows.append(row)
    rows = torch.tensor(rows)
    return rows[:, :-1], rows[:, 1:]


matrices = [embedding] + [layer[name] for layer in layers for name in ('q', 'k', 'v', 'o', 'gate', 'up', 'down')]
norms = [layer[name] for layer in layers for name in ('attention_norm', 'ffn_norm')] + [output_norm]
optimizer = torch.optim.AdamW([dict(params=matrices, weight_decay=0.1), dict(params=norms, weight_decay=0.0)],
                              lr=PEAK, betas=(0.9, 0.95), eps=1e-8)
for step in range(STEPS):
    done = (step - WARMUP) / (STEPS - WARMUP - 1)
    rate = PEAK * (step + 1) / WARMUP if step < WARMUP else \
        PEAK * FINAL + PEAK * (1 - FINAL) * 0.5 * (1 + math.cos(math.pi * done))
    for group in optimizer.param_groups:
        group['lr'] = rate
    loss = losses(*batch(step))
    optimizer.zero_grad()
    loss.backward()
    size = torch.nn.utils.clip_grad_norm_(matrices + norms, 1.0)
    optimizer.step()
    print(f'    {{{loss.item():.7f}, {size.item():.7f}}},')
