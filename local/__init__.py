"""The deployed functions on one machine, as processes: emulator, edge, stream, workers, scheduler. Never bundled."""
