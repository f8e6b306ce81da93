"""Typed configuration: what `config/` may say; `htsr.compose` composes and checks it before the first job.

The Snakefile imports this module, so it imports nothing heavy. A stage's program (`htsr.stages.NAME`) extends the
dataclass of its settings with the files it reads and writes.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import yaml
from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from htsr.errors import InputError

# The base of OmegaConf's loader; libyaml reads a large configuration half a second faster.
yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Source(Enum):
    """Where a model's weights come from."""

    url = "url"
    file = "file"
    torchvision = "torchvision"
    trained = "trained"


class Convolution(Enum):
    """How a convolution becomes matrices (definitions in README, section Conventions)."""

    slices = "slices"
    pooled = "pooled"
    unfolded = "unfolded"


class Normalization(Enum):
    """Scale of the eigenvalues: of WᵀW/N, of WᵀW, or of WᵀW with convolutions halved as weightwatcher does."""

    one_over_n = "one_over_n"
    none = "none"
    weightwatcher = "weightwatcher"


class KolmogorovSmirnov(Enum):
    """Distance between model and empirical CDF: both limits of its steps, or the left one only."""

    two_sided = "two_sided"
    left = "left"


class Backend(Enum):
    """Who fits the power law: our exact search, or the powerlaw package with its range of α opened."""

    exact = "exact"
    powerlaw = "powerlaw"


class DatasetFormat(Enum):
    """How a data set is stored: in scikit-learn, as MNIST, as CIFAR-10's binary version, in folders of images."""

    digits = "digits"
    idx = "idx"
    cifar_binary = "cifar_binary"
    folders = "folders"


class Loss(Enum):
    """What a training makes small: the cross entropy, or the squared distance of the scores from 0 and 1."""

    cross_entropy = "cross_entropy"
    squared = "squared"


class Optimizer(Enum):
    """Stochastic gradient descent with momentum, or Adam."""

    sgd = "sgd"
    adam = "adam"


class Schedule(Enum):
    """The learning rate over the epochs: half a cosine to zero, steps down at milestones, or constant."""

    cosine = "cosine"
    step = "step"
    constant = "constant"


class LabelNoise(Enum):
    """What replaces a label: any class, its own included, or any other class."""

    uniform = "uniform"
    other = "other"


class Device(Enum):
    """Where a network is trained; auto takes a GPU where there is one."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Part(Enum):
    """The images that networks are measured on: those trained on, or those held out."""

    train = "train"
    test = "test"


class States(Enum):
    """Which states of a network are measured: the last, the first and the last, or all that were kept."""

    final = "final"
    ends = "ends"
    all = "all"


class Plane(Enum):
    """What a surface lies along."""

    random = "random"
    interpolation = "interpolation"
    through = "through"
    pca = "pca"
    bezier = "bezier"


class DirectionNormalization(Enum):
    """Scale of random directions: by the norm of every filter, of every layer, or none."""

    filter = "filter"
    layer = "layer"
    none = "none"


class BatchNorm(Enum):
    """Statistics of batch norm on a surface: those of the state, or estimated anew at every point."""

    frozen = "frozen"
    recalibrated = "recalibrated"


class Include(Enum):
    """What a state is: its weights of two or more dimensions, all parameters, or running statistics as well."""

    weights = "weights"
    parameters = "parameters"
    state = "state"


class Truncation(Enum):
    """Which singular values of a layer are kept (`htsr.stages.smooth_model`)."""

    rank = "rank"
    edge = "edge"
    shrinkage = "shrinkage"
    erg = "erg"
    power_law = "power_law"


@dataclass
class Network:
    """An architecture of `htsr.networks`: units or filters of a layer, and layers with weights.

    dropout: share of units that are left out at random in training. skip: residual networks with their shortcuts.
    """

    name: str = "mlp"
    width: int = 64
    depth: int = 3
    dropout: float = 0.0
    skip: bool = True


@dataclass
class DatasetFile:
    """A file of a data set: its address, or where it lies here. content_md5: of what is in a gzip file."""

    url: str | None = None
    file: str | None = None
    sha256: str | None = None
    content_md5: str | None = None


@dataclass
class DatasetSource:
    """Where images come from: their format (`htsr.datasets.read`), and its files by the names they have there."""

    format: DatasetFormat = DatasetFormat.digits
    files: dict[str, DatasetFile] = field(default_factory=dict)


@dataclass
class Dataset:
    """A data set, and what networks see of it.

    test_fraction: share of every class that is held out for the test accuracy, where the set has no test images of its
    own. test_size: number of test images that are used, 0 for all. seed: of the images held out and of those used.
    """

    name: str = "digits"
    source: DatasetSource = field(default_factory=DatasetSource)
    test_fraction: float = 0.5
    test_size: int = 0
    seed: int = 0


@dataclass
class DownloadModel:
    """`cache` keeps downloads as their hosts serve them, under <host>/<path>, shared by all experiments.

    retries: how often in a row a try may end without a new byte. timeout: seconds without an answer.
    """

    cache: str = "downloads"
    retries: int = 5
    timeout: float = 60.0


@dataclass
class TrainModel:
    """Defaults of every trained network; the `train:` entry of a model or a sweep comes on top.

    train_fraction: share of the training images that is used. crop: side of the central square that is kept of every
    image, 0 for all of it. augment: shifts by up to 4 pixels and reflections in training. label_noise: share of the
    training labels that is replaced.
    input_noise: standard deviation of what is added to the normalized training images, once. start_from: the model
    whose weights are the initial ones; filters that are zero in them stay zero. early_stopping: epochs without a
    smaller loss on `validation_fraction` of the training images, 0 for never; the weights of the best epoch are kept.
    stop_at_loss: the training loss that is small enough. checkpoints: epochs whose weights are kept beside the first
    and the last, and log_checkpoints more at equal distances of log epoch. evaluate_every: epochs between evaluations.
    """

    network: Network = field(default_factory=Network)
    train_fraction: float = 1.0
    crop: int = 0
    augment: bool = False
    label_noise: float = 0.0
    label_noise_kind: LabelNoise = LabelNoise.uniform
    input_noise: float = 0.0
    loss: Loss = Loss.cross_entropy
    optimizer: Optimizer = Optimizer.sgd
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 0.05
    schedule: Schedule = Schedule.cosine
    milestones: list[int] = field(default_factory=list)
    gamma: float = 0.1
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.03
    group_lasso: float = 0.0
    start_from: str | None = None
    early_stopping: int = 0
    validation_fraction: float = 0.1
    stop_at_loss: float | None = None
    checkpoints: list[int] = field(default_factory=list)
    log_checkpoints: int = 0
    evaluate_every: int = 1
    device: Device = Device.auto
    threads: int = 1
    seed: int = 0


@dataclass
class ExtractLayers:
    """min_size: matrices with a smaller side below it are left out."""

    convolution: Convolution = Convolution.slices
    min_size: int = 50


@dataclass
class ComputeEsd:
    normalization: Normalization = Normalization.one_over_n
    permutations: int = 39
    windows: int = 3
    seed: int = 0


@dataclass
class FitPowerLaw:
    backend: Backend = Backend.exact
    ks: KolmogorovSmirnov = KolmogorovSmirnov.two_sided
    min_tail: int = 10
    cut_at_xmax: bool = False
    drop_smallest: int = 0
    min_eigenvalue: float = 0.0
    bootstrap: int = 200
    seed: int = 0


@dataclass
class MeasureLayers:
    """phase_*: thresholds of the rule of `htsr.metrics.phase`."""

    spike_level: float = 0.99
    phase_zeros: float = 0.1
    phase_heavy: float = 0.18
    phase_bulk: float = 0.99
    phase_edge: float = 1.5
    phase_near: float = 0.02


@dataclass
class ExtractSweep:
    """permutations, windows, bootstrap: of every matrix of a sweep, in place of those of ComputeEsd and FitPowerLaw."""

    permutations: int = 3
    windows: int = 0
    bootstrap: int = 0


@dataclass
class SampleEnsemble:
    """permutations: of every sampled matrix, as in ComputeEsd; the entries of most laws are in random order already."""

    permutations: int = 0
    seed: int = 0


@dataclass
class MeasureVectors:
    seed: int = 0


@dataclass
class ComputeJacobian:
    """examples: number of images, as many of each class as can be. nulls: matrices of the same row norms with random
    directions. vectors: leading singular vectors that are kept, steps: lengths of the moves along them, in units of the
    images' root mean square norm. parameters: examples of the Jacobian by parameters, 0 for none. double: forward and
    backward passes in double precision. exact: examples up to which small eigenvalues have relative accuracy; dense:
    rows or columns up to which a matrix is formed; sketch: rank of what takes its place beyond, with `probes` random
    vectors and `lanczos_steps` of the quadrature (methods of `htsr.stages.compute_jacobian`).
    """

    part: Part = Part.test
    examples: int = 512
    nulls: int = 3
    vectors: int = 6
    steps: list[float] = field(default_factory=lambda: [-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0])
    parameters: int = 0
    double: bool = False
    exact: int = 2000
    dense: int = 10000
    sketch: int = 200
    probes: int = 5
    lanczos_steps: int = 50
    threads: int = 1
    seed: int = 0


@dataclass
class EvaluateSurface:
    """bend: share of the range of losses beyond which a second difference refines. curve_*: training of a bezier curve.

    threads: that evaluate side by side. seed: of the examples.
    """

    bend: float = 0.05
    curve_steps: int = 300
    curve_batch_size: int = 128
    curve_learning_rate: float = 0.02
    threads: int = 1
    seed: int = 0


@dataclass
class ComputeHessian:
    """tolerance: bound of an eigenvalue, relative to the largest, at which a Lanczos run may end. max_steps: of a run.

    trace_probes, density_probes: random vectors. density_steps: products for each of the latter. chunk: images of one
    pass. memory_gb: of kept graphs (`htsr.landscape.hessian.hessian_product`). seed: of examples and random vectors.
    """

    tolerance: float = 1e-3
    max_steps: int = 200
    trace_probes: int = 20
    density_probes: int = 6
    density_steps: int = 40
    chunk: int = 128
    memory_gb: float = 4.0
    threads: int = 1
    seed: int = 0


@dataclass
class ProjectTrajectory:
    """centred: the mean of the states is subtracted instead of the last one. components: whose explained variance is
    listed. samples: random walks of the null. level: of its interval."""

    include: Include = Include.weights
    centred: bool = False
    components: int = 10
    samples: int = 999
    level: float = 0.95
    seed: int = 0


@dataclass
class CompareSolutions:
    """part, examples: images that outputs are compared on, all where there are fewer. resamples: random halves of them.
    level: of the intervals."""

    part: Part = Part.test
    examples: int = 512
    resamples: int = 100
    level: float = 0.95
    threads: int = 1
    seed: int = 0


@dataclass
class CompareModels:
    """subspace: dimension of the compared subspaces, 0 for the number of spikes (the smaller of the two).

    permutations: of the eigenvalues, and of the rows. variance: share that SVCCA keeps. examples: rows at most.
    """

    permutations: int = 99
    subspace: int = 0
    variance: float = 0.99
    examples: int = 1024
    seed: int = 0


@dataclass
class ValidateEstimators:
    """replicates: samples of every size and exponent. matrices: of the law that is one of matrices."""

    replicates: int = 20
    matrices: int = 20
    sizes: list[int] = field(default_factory=lambda: [50, 100, 200, 500, 1000, 2000, 5000])
    exponents: list[float] = field(default_factory=lambda: [1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0])
    resamples: int = 200
    seed: int = 0


@dataclass
class RegressAccuracy:
    resamples: int = 2000
    level: float = 0.95
    seed: int = 0


@dataclass
class JudgeClaims:
    resamples: int = 2000
    significance: float = 0.05
    seed: int = 0


@dataclass
class PlotSurface:
    """Of the figures of random lines and planes. log: losses on a logarithmic scale."""

    log: bool = True


@dataclass
class PlotEsd:
    models: list[str] = field(default_factory=list)
    layers_per_model: int = 1


@dataclass
class PlotSpikes:
    overlap_samples: int = 10
    seed: int = 0


@dataclass
class PlotJacobianDepth:
    """width: units of every layer. samples: networks of each kind and depth."""

    width: int = 400
    samples: int = 4
    seed: int = 0


@dataclass
class Model:
    """One network: where its weights are, and what accuracy its makers report for them (percent).

    layers: what names and shapes do not tell, {weight key: {kind: ..., groups: ..., transposed: ...}}.
    placeholders: read a checkpoint that needs unknown classes, with inert stand-ins for them.
    """

    source: Source = Source.url
    title: str | None = None
    url: str | None = None
    sha256: str | None = None
    file: str | None = None
    weights: str | None = None
    accuracy: float | None = None
    accuracy_source: str | None = None
    layers: dict[str, Any] = field(default_factory=dict)
    placeholders: bool = False
    train: dict[str, Any] = field(default_factory=dict)


@dataclass
class EnsemblePart:
    """Random matrices of one law (`htsr.spectra.ensembles`): `samples` of every shape and combination of parameters.

    shapes: pairs [N, M]. parameters: a list of values each. phase: what the rule of `htsr.metrics.phase` should say.
    """

    law: str = MISSING
    shapes: list[list[int]] = field(default_factory=list)
    parameters: dict[str, list[Any]] = field(default_factory=dict)
    samples: int = 1
    phase: str | None = None


@dataclass
class Ensemble:
    """Random matrices that are sampled, fitted and measured in one job each, as a model's layers are."""

    parts: dict[str, EnsemblePart] = field(default_factory=dict)


@dataclass
class Sweep:
    """Trainings on a grid: every combination of the values in `over`, with every seed.

    over: an axis is a setting of train_model (`batch_size`, `network.width`) with a list of values, or a name of its
    own with a mapping from labels to settings. What is trained is named <sweep>_<labels>_s<seed>. together: number of
    networks that one job trains, one after the other; more than one where a training takes seconds.
    """

    title: str = MISSING
    train: dict[str, Any] = field(default_factory=dict)
    over: dict[str, Any] = field(default_factory=dict)
    seeds: list[int] = field(default_factory=lambda: [0])
    together: int = 1


@dataclass
class ShownSweeps:
    """The sweep that plays each part in figures, claims and text; null leaves the part out.

    layer: the layer whose spectra and phases are drawn, null for the largest fully connected one.
    """

    batch_size: str | None = None
    epochs: str | None = None
    labels: str | None = None
    plane: str | None = None
    regularization: str | None = None
    size: str | None = None
    layer: str | None = None


@dataclass
class Jacobian:
    """The networks of a series or a sweep whose Jacobians are measured, in one job, and in which states.

    details: networks of which matrices and directions are kept for drawing, and that are measured once more on images
    with permuted pixels and, where no initial state is known, with random weights.
    """

    states: States = States.final
    details: list[str] = field(default_factory=list)


@dataclass
class Surface:
    """One kind of surface, measured for each of `networks`; a series or a sweep there stands for all of its own.

    other, third: networks by name, or `initial` for the network's own initial weights. points: of each of one or two
    dimensions. low, high: of both axes. refine: how often cells are halved at most. directions_seeds: of random
    directions, a surface each; of other planes the first one counts (bezier: of the training). train_examples,
    test_examples: images whose loss is measured, 0 for none of them.
    """

    networks: list[str] = field(default_factory=list)
    other: str | None = None
    third: str | None = None
    plane: Plane = Plane.random
    normalization: DirectionNormalization = DirectionNormalization.filter
    batch_norm: BatchNorm = BatchNorm.frozen
    points: list[int] = field(default_factory=lambda: [21, 21])
    low: float = -1.0
    high: float = 1.0
    refine: int = 0
    directions_seeds: list[int] = field(default_factory=lambda: [0])
    train_examples: int = 512
    test_examples: int = 0


@dataclass
class SurfaceSet:
    """Surfaces by name, each with the settings of `common` and its own on top, measured in `tiles` jobs."""

    title: str = MISSING
    common: dict[str, Any] = field(default_factory=dict)
    surfaces: dict[str, dict[str, Any]] = field(default_factory=dict)
    tiles: int = 1


@dataclass
class HessianPlane:
    """A plane of two random directions, as in evaluate_surface. examples: 0 for those of the set. tolerance: as that of
    ComputeHessian; it bounds the error of the drawn ratio."""

    networks: list[str] = field(default_factory=list)
    points: list[int] = field(default_factory=lambda: [9, 9])
    low: float = -1.0
    high: float = 1.0
    normalization: str = "filter"
    batch_norm: str = "frozen"
    directions_seed: int = 0
    examples: int = 0
    tolerance: float = 3e-3


@dataclass
class HessianSet:
    """Networks whose Hessians are measured in one job (a series or a sweep stands for all of its own), and what is
    measured.

    part, examples: images the loss is a mean of, as many of each class as can be, all where there are fewer. layers:
    each layer's block too.
    highest: eigenvalues that are listed. density: by stochastic Lanczos quadrature. gauss_newton: examples of the exact
    spectrum of the Gauss-Newton matrix, 0 for none. exact: largest number of parameters of a Hessian (a layer's or all)
    whose eigenvalues are all computed, 0 for none. scales: steps of second differences, none for no curvature.
    directions: random ones, of which that is a mean.
    """

    title: str = MISSING
    networks: list[str] = field(default_factory=list)
    states: States = States.final
    part: Part = Part.train
    examples: int = 512
    layers: bool = False
    highest: int = 5
    density: bool = False
    gauss_newton: int = 0
    exact: int = 0
    scales: list[float] = field(default_factory=list)
    directions: int = 10
    plane: HessianPlane = field(default_factory=HessianPlane)


@dataclass
class Series:
    """Models that are compared with each other: one architecture on one data set.

    `regress` is false where the models are states of one network rather than rivals: they then enter no regression on
    accuracy and no figure of one, but every other table, figure and claim.
    """

    title: str = MISSING
    dataset: str = MISSING
    regress: bool = True
    models: dict[str, Model] = field(default_factory=dict)


@dataclass
class Claim:
    """A published sentence and the statistic that decides it (`htsr.statistics.claims`), told in `paper`."""

    paper: str = ""
    source: str = MISSING
    statement: str = MISSING
    test: str = MISSING
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass
class PublishedModel:
    """Published averages of one model's metrics, by column of collect_metrics."""

    source: str = MISSING
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass
class PublishedRegression:
    """Published regressions of accuracy on metrics over a series of n models, by metric."""

    source: str = MISSING
    note: str | None = None
    n: int = MISSING
    r2: dict[str, float] = field(default_factory=dict)
    kendall_tau: dict[str, float] = field(default_factory=dict)


@dataclass
class PublishedLine:
    """A published straight line alpha = slope mu + intercept for N x M matrices, mu from mu_low to mu_high."""

    source: str = MISSING
    n: int = MISSING
    m: int = MISSING
    mu_low: float = MISSING
    mu_high: float = MISSING
    slope: float = MISSING
    intercept: float = MISSING


@dataclass
class PublishedBatchSizes:
    """Published results of one network at several batch sizes: columns (batch_size, accuracies in percent, stable_rank,
    mp_softrank and phase of one layer) as lists of equal length, null where a number is not known."""

    source: str = MISSING
    network: str = MISSING
    layer: str = MISSING
    note: str = ""
    values: dict[str, list[Any]] = field(default_factory=dict)


@dataclass
class Published:
    """Published numbers to print beside ours."""

    models: dict[str, PublishedModel] = field(default_factory=dict)
    regressions: dict[str, PublishedRegression] = field(default_factory=dict)
    lines: dict[str, PublishedLine] = field(default_factory=dict)
    batch_size: PublishedBatchSizes | None = None


@dataclass
class PublishedFile:
    """What was published of one model: a table of its matrices under the `folder` of its series. accuracy: percent."""

    title: str | None = None
    file: str = MISSING
    sha256: str = MISSING
    accuracy: float = MISSING


@dataclass
class PublishedResults:
    """Models of one architecture on one data set whose results others measured and published, by weightwatcher.

    source: whose results, to be cited. folder: the address before the names of the files.
    """

    title: str = MISSING
    dataset: str = MISSING
    source: str = MISSING
    accuracy_source: str = MISSING
    folder: str = MISSING
    models: dict[str, PublishedFile] = field(default_factory=dict)


@dataclass
class Comparison:
    """Three states of one network, for the figure of the compression experiment."""

    dense: str | None = None
    regularized: str | None = None
    finetuned: str | None = None


@dataclass
class Smoothing:
    """A model of the chosen series with truncated layers, written as new weights.

    rank: of the method of that name, a number or a share below 1. invert: keep the rest instead. layers: regular
    expressions of the weights, none for all.
    """

    model: str = MISSING
    method: Truncation = Truncation.edge
    rank: float = 0.2
    invert: bool = False
    layers: list[str] = field(default_factory=list)


@dataclass
class ExperimentFiles:
    """The files of an experiment that claims, tables and values are made of; empty where it has none of a kind.

    metrics, layers: collect_metrics of every series; regressions: regress_accuracy of them. published_metrics:
    collect_published of every series that others measured; published_regressions: regress_accuracy of them. ensembles:
    collect_ensembles. sweeps, networks: collect_sweep of every sweep; axes: of each; shown_sweeps: the sweep that plays
    each part; sweep_regressions: regress_accuracy of networks. jacobians: collect_jacobians; jacobian_spectra:
    compute_jacobian of every series and sweep in it. points, surface_summary: collect_surfaces; hessian_ends,
    hessian_planes, hessian_curvatures: compute_hessian of every set; explained: project_trajectory of every set that
    follows trainings; solutions: compare_solutions.
    """

    metrics: list[str] = MISSING
    layers: list[str] = MISSING
    regressions: str = MISSING
    published_metrics: list[str] = field(default_factory=list)
    published_regressions: str | None = None
    ensembles: str | None = None
    sweeps: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)
    axes: dict[str, list[str]] = field(default_factory=dict)
    shown_sweeps: dict[str, str | None] = field(default_factory=dict)
    sweep_regressions: str | None = None
    jacobians: str | None = None
    jacobian_spectra: list[str] = field(default_factory=list)
    points: str | None = None
    surface_summary: str | None = None
    hessian_ends: list[str] = field(default_factory=list)
    hessian_planes: list[str] = field(default_factory=list)
    hessian_curvatures: list[str] = field(default_factory=list)
    explained: list[str] = field(default_factory=list)
    solutions: str | None = None


@dataclass
class Config:
    mirror: str | None = None
    papers: list[str] = field(default_factory=list)
    dataset: Dataset = field(default_factory=Dataset)
    series: dict[str, Series] = field(default_factory=dict)
    ensembles: dict[str, Ensemble] = field(default_factory=dict)
    sweeps: dict[str, Sweep] = field(default_factory=dict)
    shown_sweeps: ShownSweeps = field(default_factory=ShownSweeps)
    comparison: Comparison = field(default_factory=Comparison)
    jacobians: dict[str, Jacobian] = field(default_factory=dict)  # by series or sweep
    surfaces: dict[str, SurfaceSet] = field(default_factory=dict)
    hessians: dict[str, HessianSet] = field(default_factory=dict)
    solutions: dict[str, list[str]] = field(default_factory=dict)  # pairs of networks
    smoothing: dict[str, Smoothing] = field(default_factory=dict)
    model_pairs: dict[str, list[str]] = field(default_factory=dict)
    claims: dict[str, dict[str, Claim]] = field(default_factory=dict)  # by paper
    published: Published = field(default_factory=Published)
    published_results: dict[str, PublishedResults] = field(default_factory=dict)
    download_model: DownloadModel = field(default_factory=DownloadModel)
    train_model: TrainModel = field(default_factory=TrainModel)
    extract_layers: ExtractLayers = field(default_factory=ExtractLayers)
    compute_esd: ComputeEsd = field(default_factory=ComputeEsd)
    fit_power_law: FitPowerLaw = field(default_factory=FitPowerLaw)
    measure_layers: MeasureLayers = field(default_factory=MeasureLayers)
    extract_sweep: ExtractSweep = field(default_factory=ExtractSweep)
    sample_ensemble: SampleEnsemble = field(default_factory=SampleEnsemble)
    measure_vectors: MeasureVectors = field(default_factory=MeasureVectors)
    compute_jacobian: ComputeJacobian = field(default_factory=ComputeJacobian)
    evaluate_surface: EvaluateSurface = field(default_factory=EvaluateSurface)
    compute_hessian: ComputeHessian = field(default_factory=ComputeHessian)
    project_trajectory: ProjectTrajectory = field(default_factory=ProjectTrajectory)
    compare_solutions: CompareSolutions = field(default_factory=CompareSolutions)
    compare_models: CompareModels = field(default_factory=CompareModels)
    validate_estimators: ValidateEstimators = field(default_factory=ValidateEstimators)
    regress_accuracy: RegressAccuracy = field(default_factory=RegressAccuracy)
    judge_claims: JudgeClaims = field(default_factory=JudgeClaims)
    plot_esd: PlotEsd = field(default_factory=PlotEsd)
    plot_surface: PlotSurface = field(default_factory=PlotSurface)
    plot_spikes: PlotSpikes = field(default_factory=PlotSpikes)
    plot_jacobian_depth: PlotJacobianDepth = field(default_factory=PlotJacobianDepth)


def surfaces_of(entry: SurfaceSet) -> dict[str, Surface]:
    """The surfaces of a set with complete settings. Raises InputError for an unknown key or a wrong type."""
    found = {}
    for name, own in entry.surfaces.items():
        try:
            found[name] = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Surface), entry.common, own))
        except OmegaConfBaseException as error:
            raise InputError(f"{name}: {one_line(error)}") from error
    return found


def one_line(error: Exception) -> str:
    """Hydra's or OmegaConf's message on one line, without the type details that follow."""
    lines = [line.strip() for line in str(error).splitlines()]
    return " ".join(line for line in lines if line and not line.startswith(("object_type", "reference_type")))
