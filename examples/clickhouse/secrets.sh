#!/bin/sh
# Makes the logins of compose.yaml and kubernetes.yaml, in the folder secrets beside this file. What is there stays as it is.
set -eu
cd "$(dirname "$0")"
# Only you enter the folder. The files in it are for all, since containers have users of their own.
mkdir -p -m 700 secrets
cd secrets
umask 022

# Without a line's end: the Collector would take it for a part of the password.
for name in clickhouse-collector clickhouse-reader pages-token; do
	test -s "$name" || printf %s "$(openssl rand -hex 24)" >"$name"
done

# What ClickHouse gets is no password, but what it can compare one with.
hash() { printf %s "$(cat "$1")" | openssl dgst -sha256 | sed 's/.* //'; }
cat >passwords.xml <<END
<clickhouse>
    <users>
        <collector><password_sha256_hex>$(hash clickhouse-collector)</password_sha256_hex></collector>
        <reader><password_sha256_hex>$(hash clickhouse-reader)</password_sha256_hex></reader>
    </users>
</clickhouse>
END
