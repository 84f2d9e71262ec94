"""The only I/O of lashup: sockets, disk, clocks, tasks. On trio and on asyncio."""
