"""A cluster on one machine: agents as network namespaces, each with a real navstar.

`navstar lab run` shows, on the real kernel, that the overlay does what it is for
and that it is repaired when it is broken. `navstar lab up` leaves the cluster there
to look at. Nothing in here is a model: links, routes, packets and daemons are those
of production.

Layout:

    topology                who is there, and every name and number. Pure
    namespaces, links       the machines and the wires
    record, processes       what is noted on disk, so that anybody can clean up
    agents                  the navstar of each agent
    laboratory              all of it together, and kept
    demolition              its end, without a trace
    holder                  keeps an ordinary user's lab between two commands
    echo, trace, pinger     pings from inside containers
    kernel_view, witness    what the kernels hold, without navstar's own eyes
    sabotage                rows and links deleted behind navstar's back
    steps/, demo, report    what `navstar lab run` does, and its table
    interrupts              Ctrl-C, and when it has to wait
    privileges              rights, user namespaces, and what a host lacks
    cli, onlooker           the commands, and progress for who waits
"""
