"""`python -m deeplab_caffe.cli` is the `deeplab` command."""

import sys

from .main import main

sys.exit(main())
