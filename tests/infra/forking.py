"""Python source that the interpreters of `alone` and `standing` have in common: they know nothing of this project."""

FORKING = """
import gc, importlib, os, sys, threading, traceback

def load(modules):
    gc.disable()
    for module in modules:
        importlib.import_module(module)
    gc.freeze()
    gc.enable()
    if threading.active_count() > 1:
        sys.exit(f"a fork would lack the threads {threading.enumerate()}")

def end_with(run):
    status = 1
    try:
        run()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
"""
"""`load` imports what all forks share, `end_with` is the life of a fork: it ends as `run` does."""
