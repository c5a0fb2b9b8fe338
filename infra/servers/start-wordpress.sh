#!/bin/bash
# WordPress and MariaDB (Debian packages) on 127.0.0.1:$WORDPRESS_PORT, served by PHP's own server.
. "$(dirname "$0")/common.sh"
port=${WORDPRESS_PORT:-18105}
database=${WORDPRESS_DB_PORT:-18306}
home=$SRV/run/wordpress
mkdir -p "$home"
installed() { command -v mariadbd && [ -d /usr/share/wordpress/wp-content/themes/twentytwentyone ] && php -m | grep -q mysqli; }
installed >/dev/null 2>&1 ||
  debian mariadb-server wordpress wordpress-theme-twentytwentyone php-cli php-mysql php-mbstring php-xml php-curl php-gd

if ! alive "$home/mariadb.pid"; then
  chmod 755 "$home"
  if [ ! -d "$home/db/mysql" ]; then
    mkdir -p "$home/db"
    chown mysql "$home/db"
    mariadb-install-db --user=mysql --datadir="$home/db" --auth-root-authentication-method=normal --skip-test-db >"$home/dbinit.log" 2>&1
  fi
  setsid mariadbd --no-defaults --user=mysql --datadir="$home/db" --bind-address=127.0.0.1 --port="$database" \
    --socket="$home/db/s.sock" --pid-file="$home/db/pid" --innodb-buffer-pool-size=64M --innodb-flush-log-at-trx-commit=0 \
    >"$home/db.log" 2>&1 </dev/null &
  await 30 mariadb -uroot -S "$home/db/s.sock" -e 'select 1'
  cp "$home/db/pid" "$home/mariadb.pid"
fi
mariadb -uroot -S "$home/db/s.sock" -e "create database if not exists wp character set utf8mb4;
  create user if not exists wp@localhost identified by 'wp'; create user if not exists wp@127.0.0.1 identified by 'wp';
  grant all on wp.* to wp@localhost; grant all on wp.* to wp@127.0.0.1"

[ -d "$home/www" ] || cp -rL /usr/share/wordpress "$home/www"
cat >"$home/www/wp-config.php" <<X
<?php
define('DB_NAME', 'wp'); define('DB_USER', 'wp'); define('DB_PASSWORD', 'wp'); define('DB_HOST', '127.0.0.1:$database'); define('DB_CHARSET', 'utf8mb4'); define('DB_COLLATE', '');
foreach (['AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY', 'AUTH_SALT', 'SECURE_AUTH_SALT', 'LOGGED_IN_SALT', 'NONCE_SALT'] as \$name) define(\$name, 'test' . \$name);
\$table_prefix = 'wp_';
define('WP_DEBUG', false); define('DISABLE_WP_CRON', true); define('WP_HTTP_BLOCK_EXTERNAL', true); define('AUTOMATIC_UPDATER_DISABLED', true);
define('WP_HOME', 'http://127.0.0.1:$port'); define('WP_SITEURL', 'http://127.0.0.1:$port');
if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
X
cp "$HERE/wordpress-router.php" "$home/router.php"
php "$HERE/wordpress-install.php" "$home/www" >"$home/install.log" 2>&1
if ! alive "$home/php.pid"; then
  PHP_CLI_SERVER_WORKERS=4 setsid php -S "127.0.0.1:$port" -t "$home/www" "$home/router.php" >"$home/php.log" 2>&1 </dev/null &
  echo $! >"$home/php.pid"
fi
await 30 curl -fsS -o /dev/null "http://127.0.0.1:$port/" || { tail -5 "$home/install.log" "$home/php.log"; exit 1; }
echo "READY http://127.0.0.1:$port/ pids=$(cat "$home/mariadb.pid"),$(cat "$home/php.pid")"
