<?php // php wordpress-install.php WWW: an empty blog with paged, threaded comments; safe to run again
function wp_new_blog_notification() {}
define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = '127.0.0.1';
require $argv[1] . '/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
if (!is_blog_installed()) {
    wp_install('Fjellbloggen', 'admin', 'admin@example.com', true, '', 'Fj3lltele-pw', '');
    foreach (get_posts(['post_type' => ['post', 'page'], 'post_status' => 'any', 'numberposts' => -1]) as $sample) wp_delete_post($sample->ID, true);
}
$options = ['comments_per_page' => 20, 'page_comments' => 1, 'thread_comments' => 1, 'default_comments_page' => 'oldest', 'comment_order' => 'asc',
    'posts_per_rss' => 50, 'timezone_string' => 'Europe/Stockholm', 'comment_moderation' => 0, 'comment_previously_approved' => 0, 'close_comments_for_old_posts' => 0];
foreach ($options as $name => $value) update_option($name, $value);
switch_theme('twentytwentyone');
global $wp_rewrite;
$wp_rewrite->set_permalink_structure('/%year%/%monthnum%/%postname%/');
$wp_rewrite->flush_rules(false);
echo "installed\n";
