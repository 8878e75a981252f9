"""The page of a finished run, or of a sweep: report.html, made of what its folder holds. Every single run and every sweep writes its own at its end.

python experiments/report.py outputs/hedge/2026-11-22_18-16-22
python experiments/report.py multirun/hedge/2026-11-22_18-16-22
"""

import sys
from collections.abc import Sequence

from mcengine.report import write_page


def main(arguments: Sequence[str] | None = None) -> int:
    folders = sys.argv[1:] if arguments is None else list(arguments)
    if not folders or folders[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if folders else 2
    try:
        for folder in folders:
            page = write_page(folder)
            if page is None:
                raise ValueError("report: expected the package jinja2, which the extra mcengine[report] brings")
            print(page)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
