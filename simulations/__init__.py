"""Whole clusters under a virtual clock and a bad network.

`python -m simulations list` shows the scenarios. What drives what:

    scenario    what a scenario is: parameters in, an outcome out
    scenarios/  one small file for each
    cluster     many hosts of one cluster, and the words that scenarios are written in
    world       virtual time on a heap
    host, disk  one computer: a `lashup.node.Node`, a socket's buffer, a disk, a clock
    network     which datagrams arrive, when, and as what (latency, loss, faults)
    invariants  what must hold in every run, whatever the network did
    measure     metrics, curves of convergence, the heat map of membership
    trace       the hash of everything that happened, and the file of it
"""
