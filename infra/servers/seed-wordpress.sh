#!/bin/bash
# Fill WordPress with the threads of seedtext.py: a post each, its replies as threaded comments, dates kept. Idempotent.
. "$(dirname "$0")/common.sh"
home=$SRV/run/wordpress
python3 "$HERE/seedtext.py" >"$home/seed.json"
php "$HERE/wordpress-seed.php" "$home/www" "$home/seed.json"
