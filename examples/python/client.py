#!/usr/bin/env python3
"""What a program does with enigma.v1.Inference: models, a stream of text, a chat, embeddings, deadline, cancellation.

    ./make_stubs.sh stubs
    PYTHONPATH=stubs ./client.py --address localhost:50051 --ca cluster-ca.crt --model NAME
"""

import argparse
import sys

import grpc

from proto import inference_pb2 as api
from proto import inference_pb2_grpc, worker_pb2


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="localhost:50051", help="the coordinator's gRPC address")
    parser.add_argument("--ca", help="the cluster's CA certificate (PEM); without it the connection is not encrypted")
    parser.add_argument("--server-name", default="coordinator.enigma.internal", help="the name in its certificate")
    parser.add_argument("--key", help="an API key, enk-...; not needed on the coordinator's own machine")
    parser.add_argument("--model", required=True)
    parser.add_argument("--prompt", default="Once upon a time")
    return parser.parse_args()


def connect(arguments):
    if not arguments.ca:
        return grpc.insecure_channel(arguments.address)
    with open(arguments.ca, "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    return grpc.secure_channel(
        arguments.address, credentials, options=[("grpc.ssl_target_name_override", arguments.server_name)]
    )


class Client:
    """The calls, with the key in the metadata of each."""

    def __init__(self, channel, key, model):
        self.stub = inference_pb2_grpc.InferenceStub(channel)
        self.metadata = [("authorization", f"Bearer {key}")] if key else []
        self.model = model

    def models(self):
        return self.stub.ListModels(api.ListModelsRequest(), metadata=self.metadata, timeout=10).models

    def generate(self, max_tokens, timeout=60, **prompt):
        """A stream of GenerateChunk; greedy, so that the same prompt gives the same text."""
        sampling = worker_pb2.SamplingParams(temperature=0, max_tokens=max_tokens)
        request = api.GenerateRequest(model=self.model, sampling=sampling, **prompt)
        return self.stub.Generate(request, metadata=self.metadata, timeout=timeout)

    def embed(self, texts):
        request = api.EmbedRequest(model=self.model, input=[api.EmbedInput(text=text) for text in texts])
        return self.stub.Embed(request, metadata=self.metadata, timeout=60).embeddings


def print_stream(title, chunks):
    print(f"{title}: ", end="")
    for chunk in chunks:
        print(chunk.text, end="", flush=True)
        if chunk.finish_reason:
            print(f" [{chunk.finish_reason}]")


def show_chat(client):
    messages = [
        api.ChatMessage(role="system", content="You are brief."),
        api.ChatMessage(role="user", content="Tell me a story."),
    ]
    print_stream("chat", client.generate(24, chat=api.Chat(messages=messages)))


def show_embeddings(client):
    first, second, third = client.embed(["The cat sleeps.", "A cat is sleeping.", "Rain fell on the sea."])
    # Of unit length, so the product is the cosine of the angle between them.
    cosine = [sum(a * b for a, b in zip(first.values, other.values)) for other in (second, third)]
    print(f"embeddings: {len(first.values)} numbers each; likeness {cosine[0]:.3f} and {cosine[1]:.3f}")


def show_deadline(client, prompt):
    try:
        for _ in client.generate(400, prompt=prompt, timeout=0.005):
            pass
        print("deadline: met")
    except grpc.RpcError as error:
        print(f"deadline: {error.code().name}")


def show_cancellation(client, prompt):
    stream = client.generate(400, prompt=prompt)
    next(stream)
    stream.cancel()  # the server frees the place within one step
    try:
        for _ in stream:
            pass
    except grpc.RpcError as error:
        print(f"cancellation: {error.code().name}")


def main():
    arguments = parse_arguments()
    with connect(arguments) as channel:
        client = Client(channel, arguments.key, arguments.model)
        models = {model.name: model for model in client.models()}
        print("models: " + ", ".join(f"{m.name} ({'ready' if m.ready else 'not loaded'})" for m in models.values()))
        print_stream("text", client.generate(24, prompt=arguments.prompt))
        if arguments.model in models and models[arguments.model].has_chat_template:
            show_chat(client)
        else:
            print("chat: the model has no chat template")
        show_embeddings(client)
        show_deadline(client, arguments.prompt)
        show_cancellation(client, arguments.prompt)


if __name__ == "__main__":
    try:
        main()
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
