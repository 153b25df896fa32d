"""llama.cpp's OpenAI-compatible server as a process of its own: a real remote language model for tests."""

import json
import sys
import threading

import xllamacpp


def main(model: str, key: str) -> None:
    """Serve until standard input ends; the first line printed is the base address as JSON."""
    wanted = xllamacpp.CommonParams()
    wanted.model.path = model
    wanted.n_ctx, wanted.n_parallel, wanted.kv_unified = 2048, 2, True
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = 2
    wanted.cache_ram_mib = 0
    wanted.hostnames, wanted.port, wanted.api_keys = ["127.0.0.1"], 0, [key]
    wanted.verbosity = -1
    server = xllamacpp.Server(wanted)
    sys.stdout.write(json.dumps({"url": f"{server.listening_address}/v1"}) + "\n")
    sys.stdout.flush()
    threading.Thread(target=sys.stdin.read).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
