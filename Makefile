# `make demo` and `make test` set everything up by themselves on a machine that has Python 3.11, make and apt.
# Python 3.11 because the ROS 2 wheels exist for it; on a robot, colcon installs the package (README.md).

PYTHON ?= $(firstword $(shell command -v python3.11 python3) python3.11)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --quiet --constraint constraints.txt
SET_UP := setup.py constraints.txt
export MUJOCO_GL ?= egl

.DEFAULT_GOAL := help
.PHONY: help demo test lint types config clean

help:
	@echo "make demo    a simulated robot and the depth node over real ROS 2; leaves pictures in demo/"
	@echo "make test    all tests"
	@echo "make lint    ruff; make types: mypy; make config: write config/*.yaml from the code"
	@echo "make clean   remove $(VENV) and what the tools left"

demo: $(VENV)/.runs
	$(BIN)/depth-perception demo

test: $(VENV)/.develops
	$(BIN)/python -m pytest --durations=5

lint: $(VENV)/.develops
	$(BIN)/ruff check --output-format concise .
	$(BIN)/ruff format --check --output-format concise .

types: $(VENV)/.develops
	$(BIN)/mypy

config: $(VENV)/.runs
	$(BIN)/python -m depth_perception.parameter_file config

# What runs on a robot, and the simulator. The package is editable: console scripts run this checkout.
$(VENV)/.runs: $(SET_UP) scripts/system_packages.sh
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; v == (3, 11) or sys.exit(f"$(PYTHON) is {v}, not (3, 11): apt install python3.11, or make PYTHON=/path/to/python3.11")'
	@sh scripts/system_packages.sh $(PYTHON)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (once; a few minutes)"
	@$(PIP) --upgrade pip setuptools wheel
	@$(PIP) --editable '.[ros,sim,openvino]'
	@touch $@

# What training and the tests need besides: PyTorch.
$(VENV)/.develops: $(VENV)/.runs
	@echo "installing PyTorch and the development tools into $(VENV) (once; a few minutes)"
	@$(PIP) --editable '.[ros,sim,openvino,train,dev,test]'
	@touch $@

clean:
	rm -rf $(VENV) build install log demo *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
