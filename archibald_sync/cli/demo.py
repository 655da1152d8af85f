"""`demo-erp`: the stand-in for an ERP, alone."""

from __future__ import annotations

import sys
import threading

import click

from archibald_sync.cli.signals import until_told_to_end
from archibald_sync.demo.server import DemoErp


@click.command("demo-erp")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True)
@click.option("--rows", type=click.IntRange(0, 10_000_000), default=4540, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same products.")
@click.option("--no-drift", is_flag=True, help="Let the products never change.")
@click.option("--until-stdin-ends", is_flag=True, hidden=True)
def demo_erp(
    *, host: str, port: int, rows: int, seed: int, no_drift: bool, until_stdin_ends: bool
) -> None:
    """Run an ERP stand-in for trying things out.

    It serves a made-up catalogue that changes a little from read to read.
    """
    erp = DemoErp(rows=rows, seed=seed, drift=not no_drift, port=port, host=host)
    done = threading.Event()
    if until_stdin_ends:
        threading.Thread(target=_await_end_of_stdin, args=(done,), daemon=True).start()
    with until_told_to_end():
        erp.start()
        click.echo(f"Demo ERP with {rows} products: {erp.url()}")
        done.wait()
    erp.stop()


def _await_end_of_stdin(done: threading.Event) -> None:
    """End with whoever holds the other end of the pipe, however it ends."""
    sys.stdin.read()
    done.set()
