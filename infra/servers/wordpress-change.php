<?php // php wordpress-change.php WWW add TEXT | edit NUMBER TEXT | delete NUMBER
$_SERVER['HTTP_HOST'] = '127.0.0.1';
require $argv[1] . '/wp-load.php';
[, , $act, $which] = $argv;
if ($act === 'add') {
    $post = get_posts(['numberposts' => 1])[0]->ID;
    echo wp_insert_comment(['comment_post_ID' => $post, 'comment_author' => 'astrid_b', 'comment_author_email' => 'a@example.com', 'comment_content' => $which, 'comment_approved' => 1]), "\n";
    wp_update_comment_count_now($post);
} elseif ($act === 'edit') {
    wp_update_comment(['comment_ID' => (int) $which, 'comment_content' => $argv[4]]);
} else {
    wp_delete_comment((int) $which, true);
}
