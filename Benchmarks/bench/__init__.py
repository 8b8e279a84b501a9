# SPDX-License-Identifier: GPL-2.0-or-later
"""What `make bench` runs: Python's own library and Debian's packages, nothing else."""
