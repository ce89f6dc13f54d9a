"""The runs that are killed: what is run, and what goes on beside it."""
import dataclasses
import os

import support
from support import Root, expect


@dataclasses.dataclass
class Variant:
    """`earlier`: arguments of a run that has ended before. `beside`: does an undisturbed run of the same go on at once?
    `never`: endings of places that it never comes to. `turns`, `attempts`: about how many turns of the loop it takes, and
    attempts. `cached`: how many of its tasks have another run's result in the end, however often it is killed."""
    pipeline: str
    arguments: tuple = ()
    earlier: tuple | None = None
    beside: bool = False
    containers: bool = True
    gpus: int = 0
    never: tuple = ()
    turns: int = 24
    attempts: int = 13
    cached: int | None = None

    def run(self, run):
        return ["run", os.path.join(support.HERE, self.pipeline), "--run-id", run, "--jobs", "3", *self.arguments]

    def root(self, mlpipe):
        root = Root(mlpipe, watched=self.containers)
        if self.gpus:
            smi = os.path.join(root.folder, "nvidia-smi")
            with open(smi, "w") as file:
                print("#!/bin/sh", *[f'echo "{each}, GPU-{each}, Fake, 16384"' for each in range(self.gpus)], sep="\n", file=file)
            os.chmod(smi, 0o755)
            root.environment["MLPIPE_NVIDIA_SMI"] = smi
        return root

    def begin(self, root):
        """What is there before the run that is killed; the run beside it, if there is one."""
        if self.earlier is not None:
            arguments = [*self.run("earlier")[: -len(self.arguments)], *self.earlier]
            expect(root.call(*arguments) == 0, "the earlier run fails")
        return root.start(*self.run("beside")) if self.beside else None

    def end(self, root, beside, digests):
        """Checks the run, the one beside it, and that gc has nothing to say against either."""
        root.check("one", digests)
        if self.cached is not None:
            cached = [task["task"] for task in root.show("one")["tasks"] if task.get("cached_from")]
            expect(len(cached) == self.cached, f"cached are {', '.join(cached) or 'none'}")
        if beside is not None:
            expect(beside.wait(support.PATIENCE) == 0, "the run beside it fails")
            root.check("beside", digests)
        if self.earlier is not None:
            root.check("earlier")
        expect(root.ask("gc", "--yes")[0] == 0, "gc fails")
        root.check("one", digests)
        root.no_leftovers()

    def undisturbed(self, mlpipe):
        """Its digests, and the seconds it takes."""
        with self.root(mlpipe) as root:
            beside = self.begin(root)
            begun = support.time.monotonic()
            expect(root.call(*self.run("one")) == 0, "the undisturbed run fails")
            usual = support.time.monotonic() - begun
            digests = root.digests("one")
            self.end(root, beside, digests)
            return digests, usual


VARIANTS = {
    "plain": Variant("pipeline.yaml", never=("deferred", "stopping", "failed", "skipped", "cancelled")),
    "reuse": Variant("reuse.yaml", arguments=("-p", "salt=1"), earlier=("-p", "salt=0"), beside=True, turns=14, attempts=2,
                     never=("stopping", "failed", "skipped", "cancelled", "retry_wait")),
    # All from the cache but `never_cached`; the artifacts of `draft` were taken away by the earlier run.
    "removed": Variant("reuse.yaml", arguments=("-p", "salt=1"), earlier=("-p", "salt=1"), turns=4, attempts=1, cached=7,
                       never=("deferred", "stopping", "failed", "skipped", "cancelled", "retry_wait")),
    "gpus": Variant("gpus.yaml", arguments=("--engine", "process"), containers=False, gpus=2, turns=14, attempts=6,
                    never=("deferred", "stopping", "failed", "skipped", "cancelled", "retry_wait")),
}


def chosen(arguments):
    name = arguments[0] if arguments else "plain"
    if VARIANTS[name].containers:
        support.skip_without_engine()
    return VARIANTS[name]
