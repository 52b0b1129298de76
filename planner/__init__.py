"""Service-network planner: reach on foot, coverage in space and time, gaps, siting and the construction programme."""

__version__ = "0.1.0"
