"""A command that refuses an option given twice, of which all but the last would be dropped without a word."""

from __future__ import annotations

from collections import Counter

from typer import Context
from typer.core import TyperCommand

from screening.errors import UserError


class OnceCommand(TyperCommand):
    """Takes every option once, but for those that may be repeated."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Parse the arguments.

        Raises
        ------
        UserError
            Names the option that is given twice.
        """
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        once = {p.name: p.opts[0] for p in self.get_params(ctx) if p.nargs == 1 and not getattr(p, "multiple", False)}
        counts = Counter(p.name for p in order if p.param_type_name == "option" and not getattr(p, "is_flag", False))
        for name, count in counts.items():
            if count > 1 and name in once:
                raise UserError(
                    f"{once[name]} is given {count} times and only the last would count; "
                    "give it once, several values separated by commas where it takes several."
                )
        return super().parse_args(ctx, args)
