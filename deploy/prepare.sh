#!/bin/sh
# Makes what a deployment must not share with any other: the key that seals the store's secrets, the
# passwords of Redis's users, and the access list that Redis reads. What is there already stays
# as it is: another key would make the sealed SIP passwords unreadable.
#
#   sh deploy/prepare.sh [DIR]          # DIR: deploy/compose/secrets
set -eu
umask 077
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-$here/compose/secrets}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

# A file that is there in part would be worse than none: written aside, then moved.
once() {
    [ -s "$dir/$1" ] || {
        cat > "$dir/.$1.new"
        [ -s "$dir/.$1.new" ] || { echo "prepare: nothing came for $1" >&2; exit 1; }
        mv "$dir/.$1.new" "$dir/$1"
        echo "made $dir/$1"
    }
}

[ -s "$dir/secret_key" ] || openssl rand -base64 32 | once secret_key
[ -s "$dir/store_password" ] || openssl rand -hex 32 | once store_password
[ -s "$dir/redis_admin_password" ] || openssl rand -hex 32 | once redis_admin_password

# Redis gets the passwords' SHA-256 alone. The rule is the store's; sandbox is the store of a trial.
# admin is for you (backups, settings), and no container gets its password; health answers PING alone.
#
# Nobody can log in as default, and yet it keeps its rights: it is as this user that Redis reads the
# append-only file after a start. Without them Redis skips every write of a script, silently, and starts
# empty (redis/redis issue 14541; so does a plain `user default off`).
sha256() { tr -d '\n' < "$dir/$1" | openssl dgst -sha256 -r | cut -d ' ' -f 1; }
once users.acl <<ACL
user default off resetpass ~* &* +@all
user health on nopass resetkeys resetchannels -@all +ping
user trunkline on #$(sha256 store_password) ~{trunkline}:* &{trunkline}:* ~{sandbox}:* &{sandbox}:* +@all -@admin -@dangerous +info
user admin on #$(sha256 redis_admin_password) allkeys allchannels +@all
ACL
# Read by Redis's own user. It holds hashes of 256 random bits each and no secret.
chmod 644 "$dir/users.acl"

# Containers run as whoever owns the files; for root, as the image's user.
if [ "$(id -u)" = 0 ]; then
    chown 65532:65532 "$dir"/*
elif [ "$dir" = "$here/compose/secrets" ]; then
    env=$here/../.env
    grep -qs '^TRUNKLINE_USER=' "$env" || echo "TRUNKLINE_USER=$(id -u):$(id -g)" >> "$env"
fi
echo "Next: put each account's API key and token into $dir (exotel_acme_key, exotel_acme_token), mode 0600," \
    "and back up secret_key apart from the store."
