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
variable "PROGRAMS" { default = "train-cpu:bin_counting train-cpu:classification train-cpu:ssd train-cpu:yolo train-gpu:bin_counting train-gpu:classification train-gpu:ssd train-gpu:yolo train-tf-cpu:unet train-tf-gpu:unet" } # of entrypoints/programs.json
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

variable "RUNTIMES" { # rows of containers/targets.json; for a Jetson NVIDIA's base, else what stands in with another Python
  default = {
    "amd64" = {
      image = "runtime-amd64", target = "runtime-amd64", lock = "requirements", machine = "amd64"
      wheels = "x86_64-manylinux_2_28", python = "3.11", base = "", rootfs = ROOTFS_AMD64, gated = "/mnt/root", device = null
    }
    "arm64" = {
      image = "runtime-arm64", target = "runtime-arm64", lock = "requirements", machine = "arm64"
      wheels = "aarch64-manylinux_2_28", python = "3.11", base = "", rootfs = ROOTFS_ARM64, gated = "/mnt/root", device = "raspberry-pi-3"
    }
    "jetpack-5" = {
      image = "runtime-l4t:jetpack-5", target = "jetpack-5", lock = "jetpack-5", machine = "arm64"
      wheels = "aarch64-manylinux_2_31", python = L4T_BASE_5 == "" ? "3.9" : "3.8", base = L4T_BASE_5, rootfs = ROOTFS_JETPACK_5, gated = "", device = "jetpack5"
    }
    "jetpack-6" = {
      image = "runtime-l4t:jetpack-6", target = "jetpack-6", lock = "jetpack-6", machine = "arm64"
      wheels = "aarch64-manylinux_2_35", python = L4T_BASE_6 == "" ? "3.11" : "3.10", base = L4T_BASE_6, rootfs = ROOTFS_JETPACK_6, gated = "", device = "jetpack6"
    }
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
  args       = { PROGRAM = split(":", tag)[1] == "script" ? "" : split(":", tag)[1] }
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
group "runtime" { targets = ["runtime-amd64", "runtime-arm64"] }
group "runtime-l4t" { targets = ["runtime-jetpack-5", "runtime-jetpack-6"] }

target "_runtime-rootfs" {
  name              = "runtime-rootfs-${row}"
  matrix            = { row = keys(RUNTIMES) }
  context           = RUNTIMES[row].rootfs
  dockerfile-inline = "FROM scratch\nADD rootfs.tar /\n"
  platforms         = ["linux/${RUNTIMES[row].machine}"]
}

target "_runtime-packages" {
  name       = "runtime-packages-${row}"
  matrix     = { row = keys(RUNTIMES) }
  inherits   = ["_filled"]
  dockerfile = "containers/runtime/packages.Dockerfile"
  contexts   = { rootfs = RUNTIMES[row].base == "" ? "target:runtime-rootfs-${row}" : RUNTIMES[row].base }
  args = {
    TARGET   = RUNTIMES[row].target
    PLATFORM = RUNTIMES[row].wheels
    PYTHON   = RUNTIMES[row].python
    LOCK     = "${RUNTIMES[row].lock}.lock"
    ROOT     = RUNTIMES[row].gated
  }
}

target "_runtime" {
  name       = "runtime-${row}"
  matrix     = { row = keys(RUNTIMES) }
  inherits   = ["_common"]
  dockerfile = "containers/runtime/Dockerfile"
  platforms  = ["linux/${RUNTIMES[row].machine}"]
  contexts = {
    rootfs   = RUNTIMES[row].base == "" ? "target:runtime-rootfs-${row}" : RUNTIMES[row].base
    packages = "target:runtime-packages-${row}"
  }
  tags = ["${REGISTRY}/${RUNTIMES[row].image}"]
  labels = {
    "org.opencontainers.image.title"                           = "${REGISTRY}/${RUNTIMES[row].image}"
    "org.opencontainers.image.description"                     = "Runs compiled vision models by SageMaker's hosting contract"
    "org.opencontainers.image.licenses"                        = "Apache-2.0"
    "com.amazonaws.sagemaker.capabilities.accept-bind-to-port" = "true"
    "drydock.device"                                           = RUNTIMES[row].device
  }
}
