"""Membership, replicated values and a gossiped store, over UDP.
"""
