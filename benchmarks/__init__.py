"""Repeatable measurements, run by `wordloop bench NAME`; figures are ratios within one run wherever machines differ."""
