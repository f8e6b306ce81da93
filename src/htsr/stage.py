"""Turn a function of one dataclass into a Hydra command-line program.

@stage(FitPowerLawJob)
def main(job: FitPowerLawJob) -> None: ...

python -m htsr.stages.fit_power_law esd=in.safetensors fits=out.csv bootstrap=0

Several jobs run one after the other in one process, `--` between their settings.
"""

import logging
import sys
from collections.abc import Callable, Sequence
from itertools import groupby

import hydra
from hydra._internal.hydra import Hydra
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from htsr.config import one_line
from htsr.errors import InputError

# Snakemake owns the working directory, the output paths, the log and the sweep.
_HYDRA = {
    "defaults": [
        "_self_",
        {"override hydra/job_logging": "none"},
        {"override hydra/hydra_logging": "none"},
        *({f"override hydra/{group}": None} for group in ("launcher", "sweeper", "hydra_help", "output")),
    ],
    "hydra": {"run": {"dir": "."}, "output_subdir": None, "job": {"chdir": False}},
}

# Hydra composes everything twice, first to learn whether it is to sweep; here it never is (0.3 s a job).
Hydra.get_mode = lambda *_, **__: None


def split(words: Sequence[str]) -> list[list[str]]:
    """The words of each job, which `--` parts."""
    return [list(group) for bar, group in groupby(words, lambda word: word == "--") if not bar] or [[]]


def stage(schema: type) -> Callable[[Callable], Callable]:
    """Decorate main(job: schema): `python -m htsr.stages.NAME key=value ...` runs it, `--help` shows its settings.

    An InputError ends the program with its message alone and exit status 1.
    """
    fields = OmegaConf.to_container(OmegaConf.structured(schema))

    def decorate(function: Callable) -> Callable:
        about = sys.modules[function.__module__].__doc__.replace("$", "$$")
        text = f"{about}\n== Settings and files (key=value; ??? must be given) ==\n\n$CONFIG"
        hydra_node = {**_HYDRA["hydra"], "help": {"template": text}}
        ConfigStore.instance().store(name=schema.__name__, node={**_HYDRA, "hydra": hydra_node, **fields})

        # A search path without folders, lest Hydra take the keys `models` or `figures` for config groups.
        @hydra.main(version_base="1.3", config_path="pkg://htsr.stages", config_name=schema.__name__)
        def one(config):
            logging.basicConfig(
                level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
            )
            try:
                typed = OmegaConf.merge(OmegaConf.structured(schema), config)
                job = OmegaConf.to_object(typed)
                logging.getLogger("htsr").info("settings %s", job)
                function(job)
            except (InputError, OmegaConfBaseException) as error:
                sys.exit(f"error: {one_line(error)}")

        def main(config=None) -> None:
            if config is not None:  # called with settings, from Python
                return one(config)
            program, *words = sys.argv
            for own in split(words):
                sys.argv = [program, *own]
                one()

        return main

    return decorate
