"""Repeatable measurements, each with its goal and a peer or a physical limit beside it.

python -m benchmarks list
python -m benchmarks run NAME [--quick] [--json]
"""
