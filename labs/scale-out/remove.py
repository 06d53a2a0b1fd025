"""Removes simulated nodes, and what is left of them: their Pods, their Leases, the events that tell of them.

Kubernetes does most of it too, in its own time: Pods after a minute, Leases one by one, events after an hour. kubectl
asks for each object by itself and no more than 50 times a second, so these requests are sent by threads.
Usage: remove.py KUBECONFIG SELECTOR. Prints how many objects were removed, nothing if there were none.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

THREADS = 8


def delete(call, item, **options):
    """Deletes one object, unless Kubernetes was faster."""
    where = [item.metadata.namespace] if item.metadata.namespace else []
    try:
        call(item.metadata.name, *where, **options)
    except ApiException as error:
        if error.status != 404:
            raise


def delete_all(call, items, **options):
    """Deletes objects, several at once; returns how many there were."""
    with ThreadPoolExecutor(THREADS) as pool:
        return len(list(pool.map(lambda item: delete(call, item, **options), items)))


def main(kubeconfig, selector):
    config.load_kube_config(kubeconfig)
    settings = client.Configuration.get_default_copy()
    settings.connection_pool_maxsize = THREADS
    api = client.ApiClient(settings)
    core, leases = client.CoreV1Api(api), client.CoordinationV1Api(api)
    nodes = delete_all(core.delete_node, core.list_node(label_selector=selector).items)
    there = {node.metadata.name for node in core.list_node().items}

    def is_gone(name):
        return str(name).startswith("sim-") and name not in there

    pods = [item for item in core.list_pod_for_all_namespaces().items if is_gone(item.spec.node_name)]
    held = [item for item in leases.list_namespaced_lease("kube-node-lease").items if is_gone(item.metadata.name)]
    told = [item for item in core.list_namespaced_event("default").items if is_gone(item.involved_object.name)]
    rest = delete_all(core.delete_namespaced_pod, pods, grace_period_seconds=0)
    rest += delete_all(leases.delete_namespaced_lease, held) + delete_all(core.delete_namespaced_event, told)
    if nodes or rest:
        print(f"{nodes} nodes, {rest} Pods, Leases and events")


if __name__ == "__main__":
    main(*sys.argv[1:])
