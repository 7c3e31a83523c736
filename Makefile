# Drydock. `make help` lists the targets; everything sets up what it needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PROGRAM ?= yolo
DATA ?=
TASK ?= detect
EPOCHS ?= $(if $(filter yolo,$(PROGRAM)),20)
IMG_SIZE ?= $(if $(filter yolo,$(PROGRAM)),320)
BATCH_SIZE ?= $(if $(filter yolo,$(PROGRAM)),8)
HP ?=
BACKEND ?=
INSTANCE ?=
IMAGES ?=
YES ?=
TESTS ?= tests
TARGET ?=
JOBS ?= 2

# the Python of an environment, made first if it is missing: $(call in,dev) -m pytest
in = PYTHONPATH=.:entrypoints "$$(python3 -m local.environments $(1))"

# files of tests run beside each other, since most wait for what they started; in AWS one after the other
side-by-side = $(if $(TARGET),,-n $(JOBS) --dist loadfile)

# a program that an environment brings: $(call bin,dev,hadolint) Dockerfile
bin = "$$(dirname "$$(python3 -m local.environments $(1))")/$(2)"

# one word of the shell, whatever it holds: $(call quoted,my photos/it's.manifest)
quoted = '$(subst ','\'',$(1))'

# what is trained on, and how
asked = $(if $(filter yolo,$(PROGRAM)),task=$(TASK)) $(if $(EPOCHS),epochs=$(EPOCHS)) $(if $(IMG_SIZE),img-size=$(IMG_SIZE)) $(if $(BATCH_SIZE),batch-size=$(BATCH_SIZE)) $(HP)
training = $(if $(DATA),--data $(call quoted,$(DATA))) $(foreach pair,$(asked),--hp $(call quoted,$(pair)))

.PHONY: help train-local up down check test lint format golden bench bench-train folds starter-weights images aws-setup push train-aws aws-clean verify clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

train-local: ## train on this machine; PROGRAM=yolo|ssd|unet|classification|bin_counting DATA=<manifest, folder or s3://> TASK=detect|segment (yolo) EPOCHS= IMG_SIZE= BATCH_SIZE= HP="k=v …" BACKEND=process|docker
	@./drydock train $(call quoted,$(PROGRAM)) $(if $(BACKEND),--backend $(BACKEND)) $(training)

up: ## start the emulator in the background; BACKEND=process|docker is what runs its jobs
	@./drydock up $(if $(BACKEND),--backend $(BACKEND))

down: ## stop it
	@./drydock down

check: ## look at this machine: what Drydock needs, what is missing, how to mend it
	@./drydock check

test: ## run the tests, JOBS=2 files at once; TESTS=<path> for a part; TESTS=tests/contracts TARGET=aws in your AWS account
	@$(call in,dev) -m pytest $(TESTS) -m "not slow" $(side-by-side) $(if $(TARGET),--target $(TARGET))

lint: ## ruff, mypy --strict and hadolint; the programs are checked in their own environment
	@$(call in,dev) -m ruff check . && $(call in,dev) -m ruff format --check .
	@$(call bin,dev,hadolint) --config containers/hadolint.yaml containers/*/*Dockerfile
	@$(call in,dev) -m mypy local containers
	@$(call in,dev) -m mypy --python-executable "$$(python3 -m local.environments pytorch)" entrypoints

format: ## rewrite the code as ruff formats it
	@$(call in,dev) -m ruff check --fix-only --quiet . ; $(call in,dev) -m ruff format .

golden: ## record the generated files again: programs.json, docker-bake.hcl's programs, docs/api-coverage.md, docs/doctor.md, docs/names.md, bake's plan
	@$(call in,dev) -m tests.golden

bench: ## measure, in ratios where there is a peer; figures go to docs/benchmarks.md
	@$(call in,dev) -m tests.bench

bench-train: ## time trainings beside torchvision's references and Ultralytics' command line; DATA=<folder that holds neu-det/ and cookie/>
	@$(call in,dev) -m tests.bench.train $(if $(DATA),$(call quoted,$(DATA)))

folds: ## 5-fold cross-validation on real photographs; DATA=<manifest>
	@$(call in,dev) -m tests.bench.folds $(if $(DATA),$(call quoted,$(DATA))) --task $(call quoted,$(TASK))

starter-weights: ## train a starter in entrypoints/weights again, up to an hour on 2 cores; PROGRAM=yolo|ssd|unet|unet-mobilenetv2|classification
	@$(call in,$(if $(filter unet%,$(PROGRAM)),tensorflow,pytorch)) entrypoints/starter.py $(call quoted,$(PROGRAM))

images: ## build the images; IMAGES="train-cpu-yolo local" for a part, TORCH_CPU_INDEX=<mirror> of torch's CPU builds
	@python3 -m containers.build $(IMAGES)

aws-setup: ## make what jobs in AWS need: a bucket, a role, repositories; printed first; YES=1 does not ask
	@./drydock aws setup $(if $(YES),--yes)

push: ## push train images to ECR; IMAGES="train-cpu-yolo …" for a part
	@./drydock push $(IMAGES)

train-aws: ## train YOLO in AWS, with train-local's variables; INSTANCE=ml.g4dn.xlarge; priced first; YES=1 does not ask
	@./drydock train $(call quoted,$(PROGRAM)) --aws $(if $(YES),--yes) $(if $(INSTANCE),--instance-type $(INSTANCE)) $(training)

aws-clean: ## remove what aws-setup and push made; printed first; YES=1 does not ask
	@./drydock aws clean $(if $(YES),--yes)

verify: ## every test at its full size
	@$(call in,dev) -m pytest tests $(side-by-side)

clean: ## remove environments, emulator state, runs and caches
	@./drydock down 2>/dev/null || true
	@rm -rf .venvs .drydock runs .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
