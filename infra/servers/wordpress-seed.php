<?php // php wordpress-seed.php WWW SEED.json
$_SERVER['HTTP_HOST'] = '127.0.0.1';
require $argv[1] . '/wp-load.php';
wp_suspend_cache_invalidation(true);
$here = fn($when) => get_date_from_gmt(gmdate('Y-m-d H:i:s', strtotime($when)));
$utc = fn($when) => gmdate('Y-m-d H:i:s', strtotime($when));
foreach (json_decode(file_get_contents($argv[2]), true) as $thread) {
    if (get_page_by_title($thread['title'], OBJECT, 'post') || get_page_by_title(esc_html($thread['title']), OBJECT, 'post')) continue;
    $first = $thread['posts'][0];
    $id = wp_insert_post(['post_title' => $thread['title'], 'post_content' => '<p>' . esc_html($first['text']) . '</p>', 'post_status' => 'publish',
        'post_author' => 1, 'comment_status' => 'open', 'post_date' => $here($first['when']), 'post_date_gmt' => $utc($first['when'])]);
    $last = 0;
    foreach (array_slice($thread['posts'], 1) as $i => $said) {
        $last = wp_insert_comment(['comment_post_ID' => $id, 'comment_author' => $said['author'], 'comment_author_email' => md5($said['author']) . '@example.com',
            'comment_content' => $said['text'], 'comment_approved' => 1, 'comment_parent' => $i % 4 == 3 ? $last : 0,
            'comment_date' => $here($said['when']), 'comment_date_gmt' => $utc($said['when'])]);
    }
    wp_update_comment_count_now($id);
}
echo 'SEEDED posts ' . wp_count_posts()->publish . ' comments ' . wp_count_comments()->approved . "\n";
