# All images. `make images` calls this with what it found out about the machine; `docker buildx bake TARGET` alone needs
# a registry that has the base.

variable "ROOTFS" { default = "" }    # folder with rootfs.tar, a base bootstrapped from Debian's archive; else a registry
variable "ROOTFS_AMD64" { default = "" } # the same for the runtime images: Python, libc and no more
variable "ROOTFS_ARM64" { default = "" }
variable "ROOTFS_JETPACK_5" { default = "" }
variable "ROOTFS_JETPACK_6" { default = "" }
variable "L4T_BASE_5" { default = "" } # NVIDIA's base by digest, docker-image://NAME@sha256:…; without it a stand-in
variable "L4T_BASE_6" { default = "" }
variable "CA_BUNDLE" { default = "" } # certificates to check the package index against; in no layer
variable "PROGRAMS" { default = "train-cpu:yolo train-gpu:yolo" } # of entrypoints/programs.json
variable "REGISTRY" { default = "drydock" }
variable "VERSION" { default = "0.1.0" }
variable "REVISION" { default = "" }
variable "SOURCE_DATE_EPOCH" { default = "0" }

variable "CPU_PACKAGES" { default = "pytorch" } # or pytorch-cpu, where containers/torch_cpu.py could make its lock
variable "TORCH_CPU_INDEX" { default = "" }     # a mirror of the index with CPU-only builds of torch

variable "STACKS" { # what a train image is filled with; its target in the Dockerfile is its device
  default = {
    train-cpu    = CPU_PACKAGES
    train-gpu    = "pytorch"
    train-tf-cpu = "tensorflow-cpu"
    train-tf-gpu = "tensorflow-gpu"
  }
}

variable "MACHINES" { # of runtime images: what wheels are installed for
  default = {
    amd64 = "x86_64-manylinux_2_28"
    arm64 = "aarch64-manylinux_2_28"
  }
}

variable "JETPACKS" { # Python of NVIDIA's base, and of what stands in for it
  default = {
    "5" = { platform = "aarch64-manylinux_2_31", base = L4T_BASE_5, rootfs = ROOTFS_JETPACK_5, python = "3.8", stand_in = "3.9" }
    "6" = { platform = "aarch64-manylinux_2_35", base = L4T_BASE_6, rootfs = ROOTFS_JETPACK_6, python = "3.10", stand_in = "3.11" }
  }
}

group "default" { targets = ["train", "local", "runtime"] }

target "_common" {
  args   = { SOURCE_DATE_EPOCH = SOURCE_DATE_EPOCH }
  secret = CA_BUNDLE == "" ? null : ["id=ca,src=${CA_BUNDLE}"]
  output = ["type=docker"]
  labels = {
    "org.opencontainers.image.vendor"   = "Drydock"
    "org.opencontainers.image.version"  = VERSION
    "org.opencontainers.image.revision" = REVISION
  }
}

# ---------------------------------------------------------------- what images stand on
target "rootfs" {
  context           = ROOTFS
  dockerfile-inline = "FROM scratch\nADD rootfs.tar /\n"
}

target "_base" {
  inherits   = ["_common"]
  dockerfile = "containers/base/Dockerfile"
  contexts   = ROOTFS == "" ? null : { "debian:bookworm-20260918-slim" = "target:rootfs" }
}

target "base" {
  name     = stage
  matrix   = { stage = ["base", "uv", "sources"] }
  inherits = ["_base"]
  target   = stage
}

target "_filled" {
  inherits = ["_common"]
  contexts = { base = "target:base", uv = "target:uv" }
}

target "pytorch" {
  name       = stack
  matrix     = { stack = ["pytorch", "pytorch-cpu"] }
  inherits   = ["_filled"]
  dockerfile = "containers/pytorch/Dockerfile"
  contexts = {
    sources = "target:sources"
    lock    = stack == "pytorch" ? "containers/pytorch-script" : "containers/pytorch-cpu"
  }
  args = {
    UV_TORCH_BACKEND  = stack == "pytorch" || TORCH_CPU_INDEX != "" ? null : "cpu"
    UV_INDEX          = stack == "pytorch" || TORCH_CPU_INDEX == "" ? null : TORCH_CPU_INDEX
    UV_INDEX_STRATEGY = stack == "pytorch" || TORCH_CPU_INDEX == "" ? null : "unsafe-best-match"
  }
}

target "tensorflow" {
  name       = "tensorflow-${device}"
  matrix     = { device = ["cpu", "gpu"] }
  inherits   = ["_filled"]
  dockerfile = "containers/tensorflow/Dockerfile"
  contexts   = { sources = "target:sources" }
  args       = { DEVICE = device }
}

# ---------------------------------------------------------------- images
# One for each program and device, `drydock/train-cpu:yolo`, and one without a program for users' own scripts.
target "train" {
  name       = replace(tag, ":", "-")
  matrix     = { tag = concat(split(" ", PROGRAMS), formatlist("%s:script", keys(STACKS))) }
  inherits   = ["_common"]
  dockerfile = "containers/train/Dockerfile"
  target     = regex("[cg]pu", tag)
  contexts   = { packages = "target:${STACKS[split(":", tag)[0]]}" }
  args       = { PROGRAM = trimsuffix(split(":", tag)[1], "script") }
  tags       = ["${REGISTRY}/${tag}"]
  labels = {
    "org.opencontainers.image.title"                           = "${REGISTRY}/${tag}"
    "org.opencontainers.image.description"                     = "Trains and serves vision models by SageMaker's contract"
    "org.opencontainers.image.licenses"                        = "Apache-2.0 AND AGPL-3.0-only"
    "com.amazonaws.sagemaker.capabilities.accept-bind-to-port" = "true"
  }
}

# The emulator; what its jobs import is installed into its volume when first needed.
target "local" {
  inherits   = ["_filled"]
  dockerfile = "containers/local/Dockerfile"
  tags       = ["${REGISTRY}/local"]
  labels = {
    "org.opencontainers.image.title"       = "${REGISTRY}/local"
    "org.opencontainers.image.description" = "Amazon SageMaker training jobs on one machine"
    "org.opencontainers.image.licenses"    = "Apache-2.0"
  }
}

# ---------------------------------------------------------------- images that run compiled models
# Built on this machine for any other: nothing of the target runs while building. Another root with a Python 3.11:
# docker buildx bake --set runtime-arm64.contexts.rootfs=docker-image://NAME@sha256:…
target "runtime-rootfs" {
  name              = "runtime-rootfs-${machine}"
  matrix            = { machine = keys(MACHINES) }
  context           = machine == "amd64" ? ROOTFS_AMD64 : ROOTFS_ARM64
  dockerfile-inline = "FROM scratch\nADD rootfs.tar /\n"
  platforms         = ["linux/${machine}"]
}

target "runtime-packages" {
  name       = "runtime-packages-${machine}"
  matrix     = { machine = keys(MACHINES) }
  inherits   = ["_filled"]
  dockerfile = "containers/runtime/packages.Dockerfile"
  contexts   = { rootfs = "target:runtime-rootfs-${machine}" }
  args       = { TARGET = "runtime-${machine}", PLATFORM = MACHINES[machine], PYTHON = "3.11" }
}

target "runtime" {
  name       = "runtime-${machine}"
  matrix     = { machine = keys(MACHINES) }
  inherits   = ["_common"]
  dockerfile = "containers/runtime/Dockerfile"
  platforms  = ["linux/${machine}"]
  contexts = {
    rootfs   = "target:runtime-rootfs-${machine}"
    packages = "target:runtime-packages-${machine}"
  }
  tags = ["${REGISTRY}/runtime-${machine}"]
  labels = {
    "org.opencontainers.image.title"                           = "${REGISTRY}/runtime-${machine}"
    "org.opencontainers.image.description"                     = "Runs compiled vision models by SageMaker's hosting contract"
    "org.opencontainers.image.licenses"                        = "Apache-2.0"
    "com.amazonaws.sagemaker.capabilities.accept-bind-to-port" = "true"
  }
}

# One for each JetPack that a Jetson may have. They lack nothing of NVIDIA's and add nothing of it: TensorRT and CUDA are
# the base's.
target "l4t-rootfs" {
  name              = "runtime-rootfs-jetpack-${jetpack}"
  matrix            = { jetpack = keys(JETPACKS) }
  context           = JETPACKS[jetpack].rootfs
  dockerfile-inline = "FROM scratch\nADD rootfs.tar /\n"
  platforms         = ["linux/arm64"]
}

target "l4t-packages" {
  name       = "runtime-packages-jetpack-${jetpack}"
  matrix     = { jetpack = keys(JETPACKS) }
  inherits   = ["_filled"]
  dockerfile = "containers/runtime/packages.Dockerfile"
  contexts   = { rootfs = JETPACKS[jetpack].base == "" ? "target:runtime-rootfs-jetpack-${jetpack}" : JETPACKS[jetpack].base }
  args = {
    TARGET   = "jetpack-${jetpack}"
    PLATFORM = JETPACKS[jetpack].platform
    PYTHON   = JETPACKS[jetpack].base == "" ? JETPACKS[jetpack].stand_in : JETPACKS[jetpack].python
    LOCK     = "jetpack-${jetpack}.lock"
    ROOT     = ""
  }
}

target "runtime-l4t" {
  name       = "runtime-l4t-jetpack-${jetpack}"
  matrix     = { jetpack = keys(JETPACKS) }
  inherits   = ["_common"]
  dockerfile = "containers/runtime/Dockerfile"
  platforms  = ["linux/arm64"]
  contexts = {
    rootfs   = JETPACKS[jetpack].base == "" ? "target:runtime-rootfs-jetpack-${jetpack}" : JETPACKS[jetpack].base
    packages = "target:runtime-packages-jetpack-${jetpack}"
  }
  tags = ["${REGISTRY}/runtime-l4t:jetpack-${jetpack}"]
  labels = {
    "org.opencontainers.image.title"                           = "${REGISTRY}/runtime-l4t:jetpack-${jetpack}"
    "org.opencontainers.image.description"                     = "Runs compiled vision models by SageMaker's hosting contract"
    "org.opencontainers.image.licenses"                        = "Apache-2.0"
    "com.amazonaws.sagemaker.capabilities.accept-bind-to-port" = "true"
  }
}
