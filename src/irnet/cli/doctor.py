"""`irnet doctor`: can I run, and what is missing?"""

import typer


def doctor() -> None:
    """Print versions, devices, memory, weights and extras, and what to do about what is missing.

    Example:  irnet doctor
    """
    from irnet.errors import NOTHING_DONE
    from irnet.verbs.doctor import examine

    checks = examine()
    width = max(len(check.name) for check in checks)
    for check in checks:
        typer.echo(f"{'ok' if check.ok else '--'}  {check.name:{width}}  {check.value}")
        if check.remedy:
            typer.echo(f"    {'':{width}}  -> {check.remedy}")
    if any(not check.ok and check.needed for check in checks):
        raise typer.Exit(NOTHING_DONE)
