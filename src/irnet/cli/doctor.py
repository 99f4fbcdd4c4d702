"""`irnet doctor`: can I run, and what is missing?"""

import typer


def doctor() -> None:
    """Print versions, devices, memory, weights and extras, and what to do about what is missing.

    Example:  irnet doctor
    """
    from irnet.engine.doctor import examine

    findings = examine()
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        typer.echo(f"{'ok' if finding.ok else '--'}  {finding.name:{width}}  {finding.value}")
        if finding.remedy:
            typer.echo(f"    {'':{width}}  -> {finding.remedy}")
    if any(not finding.ok and finding.needed for finding in findings):
        raise typer.Exit(1)
