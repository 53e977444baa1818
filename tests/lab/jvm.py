"""What tools on a JVM share: a healthy repository of Maven's layout, and trust in the lab's authority."""

from __future__ import annotations

import hashlib

from lab.agent import BUNDLE, HOME
from lab.model import Reply
from lab.packages import noise, zipped

KEYSTORE = f"{HOME}/trust.jks"
# Shell as root: Java reads no bundle.
TRUST = f"keytool -importcert -noprompt -alias lab -file {BUNDLE} -keystore {KEYSTORE} -storepass changeit >/dev/null 2>&1"
TRUST_OPTIONS = f"-Djavax.net.ssl.trustStore={KEYSTORE} -Djavax.net.ssl.trustStorePassword=changeit"

# A class of the shop.
CART = (
    "package com.acme.shop;\n"
    "\n"
    "import java.util.List;\n"
    "\n"
    "public class Cart {\n"
    "    public int total(List<Integer> counts) {\n"
    "        int sum = 0;\n"
    "        for (int count : counts) {\n"
    "            sum += count;\n"
    "        }\n"
    "        return sum * 12;\n"
    "    }\n"
    "}\n"
)


def maven_pages(*artifacts: tuple[str, str, str]) -> dict[str, Reply]:
    """Return a repository: of each artifact its group, its name and its version. A jar has one empty class file's worth."""
    pages: dict[str, Reply] = {}
    for group, name, version in artifacts:
        folder = f"/{group.replace('.', '/')}/{name}"
        pom = (
            '<?xml version="1.0"?>\n<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
            f"<groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version></project>\n"
        ).encode()
        jar = zipped({"META-INF/MANIFEST.MF": "Manifest-Version: 1.0\n", "data.bin": noise(200_000)})
        metadata = (
            f"<metadata><groupId>{group}</groupId><artifactId>{name}</artifactId><versioning><release>{version}</release>"
            f"<versions><version>{version}</version></versions></versioning></metadata>\n"
        ).encode()
        files = {
            f"{version}/{name}-{version}.pom": pom,
            f"{version}/{name}-{version}.jar": jar,
            "maven-metadata.xml": metadata,
        }
        for path, data in files.items():
            pages[f"{folder}/{path}"] = Reply(data)
            pages[f"{folder}/{path}.sha1"] = Reply(hashlib.sha1(data).hexdigest().encode(), "text/plain")
    return pages
