"""Finds traces in the store and in journals, arranges their spans as a tree, and describes spans in words."""
