# Creates the user, the folder of the store and the secret key. Part of the scripts of both packages; safe to repeat.
getent group narthex >/dev/null || groupadd --system narthex
getent passwd narthex >/dev/null || useradd --system --gid narthex --home-dir /var/lib/narthex --no-create-home \
    --shell /usr/sbin/nologin --comment Narthex narthex
install -d -m 700 -o narthex -g narthex /var/lib/narthex
if [ ! -e /etc/narthex/secret-key ]; then
    # SECURITY: written where only root can read it, and shown to the service's group when it is whole.
    (umask 077 && head -c 32 /dev/urandom | base64 > /etc/narthex/secret-key.new)
    chown root:narthex /etc/narthex/secret-key.new
    chmod 640 /etc/narthex/secret-key.new
    mv /etc/narthex/secret-key.new /etc/narthex/secret-key
fi
