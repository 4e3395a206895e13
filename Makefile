PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: install coverage demo test test-browser test-extras test-postgres test-reliability test-slurm lint docs \
	studies-quick

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt -e ".[test,lint]"
	touch $@

demo: install
	$(BIN)/chggen predict ZnP2S6 --guest Zn -n 8 --seed 0 -o runs/demo

# CHECKS: more for pytest, as --full for all 230 space groups, or paths
test: install
	$(BIN)/python -m pytest -n 2 $(CHECKS)

# the share of lines that ran, in all tests but those of faults
coverage: install
	$(BIN)/python -m pytest -n 2 -m "not reliability" --full --cov --cov-report=term:skip-covered --cov-fail-under=95

# what needs the optional extras mp and dft, which are too large for every installation
test-extras: install
	$(BIN)/pip install -q -c constraints.txt -e ".[mp,dft]"
	$(BIN)/python -m pytest tests/stability/test_importing.py tests/results/test_vasp.py

# the page in a real browser, which is installed if it is missing; screenshots go to the folder SCREENSHOTS
test-browser: install
	command -v chromium >/dev/null || (apt-get update -q && apt-get install -y -q chromium)
	$(BIN)/pip install -q -c constraints.txt -e ".[browser]"
	CHGGEN_BROWSER=1 CHGGEN_SCREENSHOTS=$(SCREENSHOTS) $(BIN)/python -m pytest tests/browser

# a run on a SLURM of two nodes on this machine, which is installed if it is missing; as root, on Debian
test-slurm: install
	bash tests/execution/slurm.sh start
	CHGGEN_SLURM=1 $(BIN)/python -m pytest tests/execution/test_slurm.py; status=$$?; \
	bash tests/execution/slurm.sh stop; exit $$status

# a database that many runs share on a real PostgreSQL, which is installed if it is missing; as root, on Debian
test-postgres: install
	bash tests/results/postgres.sh
	CHGGEN_POSTGRES=postgresql://chggen:chggen@localhost:5432/chggen \
	$(BIN)/python -m pytest tests/results/test_shared_database.py

# faults put in by hand, in full: 500 kills, 10,000 odd inputs and more; about two hours. TRIALS: parts, --share 0.1 …
test-reliability: install
	$(BIN)/python -m tests.reliability $(TRIALS)

lint: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/oxlint --deny-warnings
	$(BIN)/mypy
	$(BIN)/lint-imports

# the site, in docs/_build/html; a warning is an error
docs: .venv/.docs
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

.venv/.docs: $(INSTALLED)
	$(BIN)/pip install -q -c constraints.txt -e ".[docs]"
	touch $@

# each study in little, about twenty minutes on two cores; DATA: the folder of development data, which some need
studies-quick: install
	for name in locality zn_p_s li_si interface intercalation sizes; do \
		OMP_NUM_THREADS=1 $(BIN)/python studies/$$name.py $(DATA) --quick || exit 1; done
	test -z "$(DATA)" || for name in diffcsp ablation_hosts ablation_compositions; do \
		OMP_NUM_THREADS=1 $(BIN)/python studies/$$name.py $(DATA) --quick || exit 1; done
