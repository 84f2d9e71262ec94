"""navstar: overlay networks on one agent, from the lines in the lashup table.

Layout:

    sources/            where this agent's allocation comes from: a file, an endpoint
    allocation, checks  what an agent has been given, and whether it can be so
    line, line_codec    what agents tell each other, and its form in the table
    publish             this agent's allocation -> its lines in the table. Pure
    overlay             lines -> desired rows. Pure
    tables, diff        rows as values; desired and actual -> operations. Pure
    overlay_backend     the kernel: dump and apply
    withdrawal          what may be deleted now. Pure
    reconciler          when to look, and the pass itself
    daemon, control     all of it together, and the socket one talks to it by
    cli, render         the commands, and their tables
"""
