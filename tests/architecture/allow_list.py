"""A contract of import-linter: modules that import what is listed, and nothing else, known or not."""

import sys

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class AllowListContract(Contract):
    """`source_modules` import the standard library, themselves and `allowed_modules` (packages from the root) only.

    import-linter's own `forbidden` lists what may not be imported, so what nobody thought of passes.
    """

    source_modules = fields.ListField(subfield=fields.StringField())
    allowed_modules = fields.ListField(subfield=fields.StringField(), required=False, default=[])

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Return every direct import of a package that is not listed."""
        own: list[str] = self.source_modules
        allowed = sys.stdlib_module_names | {*own, *self.allowed_modules}
        found = sorted(
            (importer, imported)
            for package in own
            for importer in (package, *graph.find_descendants(package))
            for imported in graph.find_modules_directly_imported_by(importer)
            if imported.partition(".")[0] not in allowed
        )
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print who imports what."""
        for importer, imported in check.metadata["found"]:
            output.print_error(f"{importer} may not import {imported}.", bold=False)
