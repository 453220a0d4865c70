#!/bin/sh
# Makes what a deployment must not share with any other: the key that seals the store's secrets, the
# passwords of Redis's users, and the access list that Redis reads. What is there already stays
# as it is: another key would make the sealed SIP passwords unreadable. Run it again whenever files were added:
# it sees to it that the containers can read them, or says which they cannot.
#
#   sh deploy/prepare.sh [DIR]          # DIR: deploy/compose/secrets
set -eu
umask 077
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-$here/compose/secrets}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

fail() {
    echo "prepare: $1" >&2
    exit 1
}
command -v openssl > /dev/null || fail "there is no openssl; install it"

# A file that is there in part would be worse than none: written aside, then moved.
once() {
    [ -s "$dir/$1" ] || {
        cat > "$dir/.$1.new"
        [ -s "$dir/.$1.new" ] || fail "nothing came for $1"
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

# Containers run as whom .env names: who ran this first; if that was root, the image's user.
env=$here/../.env
user=$(id -u):$(id -g)
[ "$(id -u)" != 0 ] || user=65532:65532
if [ "$dir" = "$here/compose/secrets" ]; then
    if grep -qs '^TRUNKLINE_USER=.' "$env"; then
        user=$(sed -n 's/^TRUNKLINE_USER=//p' "$env" | tail -n 1)
    else
        echo "TRUNKLINE_USER=$user" >> "$env"
    fi
fi
[ "$(id -u)" != 0 ] || chown "$user" "$dir"/*
closed=$(find "$dir" -type f ! -name '.*' ! -user "${user%%:*}" ! -perm -004)
[ -z "$closed" ] || fail "the containers run as user $user and cannot read these files; make it their owner, or run this as root:
$closed"

# These have no secret in them and are read by Redis's user as well. A clone made under a umask such as 027 keeps
# others out.
find "$here/compose/config" "$here/compose/redis" "$here/compose/signups.csv" "$here/../examples/signups.csv" \
    \( -type d ! -perm -005 -o -type f ! -perm -004 \) -exec chmod a+rX {} + \
    || fail "the containers cannot read the files named above; run this as their owner, or as root"

echo "Next: put each account's API key and token into $dir (exotel_acme_key, exotel_acme_token), mode 0600, and run" \
    "this again, so that user $user can read them. Back up secret_key apart from the store."
