"""Assembles the tasks of kubelab/tasks: one module is one noun; a module that says so stands at the top level."""

from importlib import import_module
from pkgutil import iter_modules

from invoke import Collection

import kubelab.tasks

namespace = Collection()
for found in iter_modules(kubelab.tasks.__path__, "kubelab.tasks."):
    module = import_module(found.name)
    collection = Collection.from_module(module)
    if getattr(module, "TOP_LEVEL", False):
        for task in collection.tasks.values():
            namespace.add_task(task)
    else:
        namespace.add_collection(collection)
