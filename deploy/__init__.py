"""What deploys to an emulator on this machine (`tests/deployed`), and tests a deployment elsewhere (`deploy.smoke`)."""

import os

# Before the CDK is imported, which starts Node: its banner says nothing that package.json does not.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")
