"""Assembles the tasks of kubelab/tasks: one module is one noun, unless it says to which other one it belongs."""

from importlib import import_module
from pkgutil import iter_modules

from invoke import Collection

import kubelab.tasks
from kubelab import company

company.enter(company.addresses)
namespace = Collection()
nouns = {"": namespace}
for found in iter_modules(kubelab.tasks.__path__, "kubelab.tasks."):
    module = import_module(found.name)
    noun = getattr(module, "COLLECTION", found.name.rpartition(".")[2])
    if noun not in nouns:
        nouns[noun] = Collection(noun)
        namespace.add_collection(nouns[noun])
    for task in Collection.from_module(module).tasks.values():
        nouns[noun].add_task(task)
