"""``python -m orchex.manifest > manifests/schema.json`` writes the schema that the examples point to."""

import sys

from orchex.manifest import schema_text

if __name__ == "__main__":
    sys.stdout.write(schema_text())
