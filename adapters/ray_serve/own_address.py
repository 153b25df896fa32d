"""The servers over which Serve's replicas call each other unpickle what they are sent: no stranger may reach one.

Serve 2.60 opens each on every address of the machine, asks for no token there, and has no switch for either.
"""

from typing import Any

from ray.serve._private import replica
from ray.util import get_node_ip_address

_open_as_told = replica.add_port_to_grpc_server


def listen_on_own_address() -> None:
    """Let replicas of this process listen on their node's own address alone: loopback, for a service of one machine.

    It is the address that Serve gives to those who call them. Ray's TLS, where it is on, stays on.
    """
    replica.add_port_to_grpc_server = _open_on_own_address


def _open_on_own_address(server: Any, address: str) -> Any:
    port = address.rpartition(":")[2]
    return _open_as_told(server, f"{get_node_ip_address()}:{port}")
