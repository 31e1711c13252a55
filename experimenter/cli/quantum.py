"""`experimenter env quantum ...`: make problems of molecules that are not shipped, and list all there are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from experimenter.cli.output import home_option, json_option, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Problems of the quantum family: make molecules, list what there is.")


@app.command()
def make(
    molecule: Annotated[str, typer.Option(help="Atoms with coordinates in angstrom: 'Li 0 0 0; H 0 0 1.6'.")],
    active: Annotated[str, typer.Option(help="Electrons and orbitals kept, such as 2e3o; all when left out.")] = "",
    mapping: Annotated[
        str, typer.Option(help="jordan-wigner, parity (two qubits fewer) or jordan-wigner-1.")
    ] = "parity",
    orbitals: Annotated[
        str, typer.Option(help="Which orbitals to keep, counted from 0 by energy, such as 1,2,5.")
    ] = "",
    basis: Annotated[str, typer.Option(help="Basis set.")] = "sto-3g",
    charge: Annotated[int, typer.Option(help="Charge of the molecule.")] = 0,
    unit: Annotated[str, typer.Option(help="angstrom or bohr.")] = "angstrom",
    name: Annotated[str, typer.Option(help="Name of the problem; from the atoms when left out.")] = "",
    home: Annotated[Path | None, home_option()] = None,
    json: Annotated[bool, json_option()] = False,
) -> None:
    """Compute a molecule's Hamiltonian and keep it, to be used as the family quantum:NAME (extra `chem`).

    Example:  experimenter env quantum make --molecule "Li 0 0 0; H 0 0 1.6" --active 2e3o --mapping parity
    """
    from envs.quantum.chemistry import Molecule, make_molecule
    from envs.quantum.listing import problem_facts
    from envs.quantum.stored import name_stored, store_problem
    from experimenter.config import resolve_home
    from experimenter.errors import EnvironmentNotReady, UsageError

    try:
        wanted = Molecule(
            name=name or _name_atoms(molecule, active),
            title=f"{_formula(molecule)}, {active or 'all orbitals'}, {mapping}",
            atoms=molecule,
            active=active,
            orbitals=_read_orbitals(orbitals),
            mapping=mapping,
            basis=basis,
            charge=charge,
            unit=unit,
        )
        problem = make_molecule(wanted)
    except ImportError as error:
        raise EnvironmentNotReady(str(error)) from error
    except ValueError as error:
        raise UsageError(str(error)) from error
    path = store_problem(problem, resolve_home(home))
    family = f"quantum:{name_stored(problem)}"
    facts = {"family": family, "path": str(path), **problem_facts(problem)}
    if json:
        print_json(facts)
        return
    print_table(
        ["", ""], [(key, f"{value:.10f}" if isinstance(value, float) else value) for key, value in facts.items()]
    )
    typer.echo(f'\nuse it with:  experimenter run "find the ground state" --env {family}')


@app.command("problems")
def problems(home: Annotated[Path | None, home_option()] = None, json: Annotated[bool, json_option()] = False) -> None:
    """List every problem with its exact energy and Hartree-Fock floor.

    Example:  experimenter env quantum problems --json
    """
    rows = list_rows(home)
    if json:
        print_json({"problems": rows})
        return
    print_problems(rows)


def list_rows(home: Path | None = None) -> list[dict[str, Any]]:
    """Facts of all problems, made ones included."""
    from envs.quantum.listing import list_problems
    from experimenter.config import resolve_home

    return list_problems(resolve_home(home))


def print_problems(rows: list[dict[str, Any]]) -> None:
    """Print the problems as a table."""
    print_table(
        [
            "problem",
            "name",
            "setting",
            "qubits",
            "electrons",
            "terms",
            "exact",
            "Hartree-Fock floor",
            "floor error, mHa",
        ],
        [
            (
                row.get("problem", "made"),
                row.get("family", row["name"]),
                f"{row['setting']:g}",
                row["qubits"],
                "-" if row["electrons"] is None else row["electrons"],
                row["terms"],
                f"{row['exact']:.10f}",
                f"{row['hartree_fock_floor']:.10f}",
                f"{row['floor_error_mha']:.2f}",
            )
            for row in rows
        ],
    )


def _read_orbitals(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() for part in parts):
        raise ValueError(f"orbitals {text!r} are not numbers from 0 on: write them with commas, such as 1,2,5.")
    return tuple(int(part) for part in parts)


def _formula(atoms: str) -> str:
    return "".join(part.split()[0] for part in atoms.split(";") if part.split())


def _name_atoms(atoms: str, active: str) -> str:
    return "-".join(filter(None, [_formula(atoms).lower() or "molecule", active]))
