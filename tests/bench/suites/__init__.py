"""The public test suites of others, read from clones that stay outside this repository: `python -m tests.bench.suites --help`."""
