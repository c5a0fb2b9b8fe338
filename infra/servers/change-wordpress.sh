#!/bin/bash
# change-wordpress.sh add TEXT → prints the new comment's number; edit NUMBER TEXT; delete NUMBER. On the newest post.
. "$(dirname "$0")/common.sh"
php "$HERE/wordpress-change.php" "$SRV/run/wordpress/www" "$@"
