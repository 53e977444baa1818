"""Which options of well-known programs take a secret. One line a program; what a line means is below it in the docstring.

A word of a line is an option whose value is masked. What follows the option says when:

- nothing: always;
- ``:`` ``=`` ``%`` ``,`` ``/``: only if the value holds this sign (``-u user:password``, but not ``-u user``);
- ``+``: only a value that is glued to the option (``mysql -pX``: a ``-p`` alone asks for it, and the next word is a
database);
- ``#3``: the third word that is no option (counted from 0 behind the program); ``#-1``: the last one;
- ``=*``: every ``name=value`` of the command.

After ``>`` come words of which one must be in the command (``docker login``, but not ``docker run -p 80:80``).
"""

from __future__ import annotations

from .pattern import Pattern

# An option: what brings a line into question.
MAYBE = Pattern(r"[\s\"'=](?:-{1,2}[A-Za-z_]|/p(?:ass(?:word)?)?[: ])")
# Programs that take a secret without an option, or read what is echoed. Each with a sign that such a text has.
MAYBE_WORDS = (
    ("|", "|"), ("/", "sqlplus"), ("_", "rabbitmqctl"), ("_", "wpa_passphrase"), (":", "config:set"), ("", "vault "),
    ("", "net use"), ("", " set "), ("", "snyk auth"), ("", "obscure"), ("", "openssl passwd"), ("", "http-basic"),
    ("", "htpasswd"),
)  # fmt: skip

# fmt: off
PROGRAMS: tuple[tuple[str, str], ...] = (
    ("mysql mysqldump mysqladmin mysqlimport mysqlcheck mysqlshow mysqlsh mariadb mariadb-dump mariadb-admin xtrabackup",
        "-p+"),
    ("curl", "-u: --user: -U: --proxy-user: -b= --cookie= -E: --cert: --pass --oauth2-bearer --tlspassword --proxy-pass"),
    ("wget", "--user: --password --http-password --ftp-password --proxy-password"),
    ("http https httpie xh", "-a --auth"),
    ("docker podman nerdctl buildah skopeo crane oras regctl img",
        "-p --password --creds --src-creds --dest-creds > login copy push pull inspect auth"),
    ("helm", "-p --password > login repo pull install upgrade"),
    ("htpasswd", "#-1 > -b -nb -bn -bc -cb -nbB -bB -Bb -bnB -nBb -Bbn -bBn -cbB -bcB -nbm -bm -bd -nbs"),
    ("redis-cli redis-benchmark valkey-cli keydb-cli", "-a --pass --askpass+"),
    ("ldapsearch ldapadd ldapmodify ldapdelete ldapcompare ldapwhoami ldapmodrdn", "-w"),
    ("ldappasswd", "-w -s -a"),
    ("slappasswd", "-s"),
    ("sshpass", "-p"),
    ("mongo mongosh mongodump mongorestore mongoexport mongoimport mongostat mongotop", "-p --password"),
    ("cqlsh nodetool", "-p -pw --password"),
    ("sqlcmd bcp osql", "-P"),
    ("tsql isql", "-P"),
    ("sqlplus sqlldr expdp impdp rman exp imp", "#0/ --login/"),
    ("influx clickhouse-client", "-password --password -t --token"),
    ("smbclient rpcclient smbmap net smbget", "-U% --user%"),
    ("mount.cifs", "-o="),
    ("lftp ncftp", "-u,"),
    ("rabbitmqctl rabbitmqadmin", "#2 -p > add_user change_password authenticate_user --password"),
    ("etcdctl", "--user: --password"),
    ("mosquitto_pub mosquitto_sub", "-P --pw"),
    ("twine flit", "-p --password"),
    ("az", "-p --password --value --account-key --sas-token --connection-string --secret --admin-password"),
    ("aws", "--secret-string --master-user-password --password --auth-token --token-code --user-data"),
    ("aws", "--value > SecureString"),
    ("aws", "#3 > configure"),
    ("gh", "-b --body > secret"),
    ("gcloud gsutil", "--password --access-token-file+ --token"),
    ("vault", "=* > kv write put patch"),
    ("vault", "#1 > login unwrap"),
    ("vault", "#2 > unseal revoke lookup renew"),
    ("consul nomad", "-token"),
    ("kubectl oc", "--from-literal= --token -p --password --docker-password > create login config set-credentials get"
                   " apply"),
    ("cf ibmcloud bx", "-p --apikey > login auth"),
    ("heroku fly flyctl doppler", "=* > config:set secrets set"),
    ("vercel netlify railway", "-t --token --auth"),
    ("snyk", "#1 > auth"),
    ("cypher-shell", "-p --password"),
    ("zabbix_sender zabbix_get zabbix_agentd", "--psk"),
    ("openssl", "#1 > passwd"),
    ("poetry", "#3 > config"),
    ("npm yarn pnpm", "--otp --_authToken --auth"),
    ("npm yarn pnpm pip git", "#3 > _authToken _password _auth"),
    ("useradd usermod adduser", "-p --password"),
    ("net", "#3 > use"),
    ("net", "#2 > user"),
    ("cmdkey psexec psexec64 xfreerdp rdesktop", "-p /p /pass /password"),
    ("plink pscp psftp winscp", "-pw -passwd"),
    ("zip unzip zipcloak", "-P"),
    ("7z 7za 7zr rar unrar", "-p+ -hp+"),
    ("openssl", "-k -K -passin -passout -pass -psk -srppass"),
    ("gpg gpg2", "--passphrase --symmetric-passphrase"),
    ("keytool jarsigner", "-storepass -keypass -srcstorepass -deststorepass -srckeypass -destkeypass -new"),
    ("ssh-keygen", "-N -P"),
    ("ansible-vault", "#1 > encrypt_string"),
    ("ipmitool ipmi-power racadm", "-P -p"),
    ("snmpwalk snmpget snmpset snmpbulkwalk snmptrap", "-c -A -X"),
    ("wpa_passphrase", "#1"),
    ("security", "-p -w > unlock-keychain add-generic-password add-internet-password create-keychain"
                 " set-keychain-settings import"),
    ("tailscale", "--authkey --auth-key"),
    ("rclone", "#1 > obscure reveal"),
    ("s3cmd mc", "--secret_key --access_key"),
    ("mc", "#4 #5 > alias"),
    ("jfrog jf", "--password --apikey --access-token -p"),
    ("java", "-auth:"),
    ("svn hg cvs", "--password"),
    ("signtool", "/p -p"),
    ("kinit", "--password"),
    ("samba-tool", "--newpassword --adminpass #2 > setpassword"),
    ("kafkacat kcat", "-X="),
    ("restic borg duplicity", "--password-command+"),
    ("nmcli", "--password"),
    ("tea glab bb", "-t --token"),
    ("openvpn stunnel", "--askpass+"),
    ("oathtool", "-b #-1"),
)
# fmt: on
# Programs that read a secret from what is echoed into them.
READERS = (
    "sudo",
    "passwd",
    "chpasswd",
    "docker",
    "podman",
    "skopeo",
    "buildah",
    "nerdctl",
    "helm",
    "gpg",
    "gpg2",
    "kinit",
    "su",
    "cryptsetup",
    "openssl",
    "smbpasswd",
    "vault",
    "gh",
    "glab",
    "htpasswd",
    "ldapsearch",
    "oc",
    "aws",
    "az",
    "crane",
    "oras",
    "cf",
    "ssh-add",
    "ssh-keygen",
    "ansible-vault",
    "chage",
    "saslpasswd2",
    "wpa_passphrase",
    "npm",
    "kubeseal",
    "sops",
    "base64",
    "mysql",
    "psql",
)  # fmt: skip
# With these words only, for programs that read other things as well.
READING = (
    "-S", "--stdin", "--password-stdin", "--passphrase-fd", "--with-token", "--auth-token-stdin", "-i", "stdin", "fd:0",
    "-in", "-d", "passwd",
    "chpasswd", "su", "kinit", "smbpasswd", "encrypt_string", "-x", "saslpasswd2", "secret", "login", "luksOpen", "open",
    "-", "-kfile",
    "--key-file=-", "set",
)  # fmt: skip
