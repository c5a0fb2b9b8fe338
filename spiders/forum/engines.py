"""How common engines mark up threads and lists. What an entry leaves empty is found by what all posts have in common.

Learnt from the engines' public templates and pages; the names are theirs, the table is ours.
"""

from spiders.forum.view import Selectors

ENGINES: dict[str, Selectors] = {
    "xenforo": Selectors(
        post="article.message[data-content]",
        text=".message-body .bbWrapper, .message-content .bbWrapper, .message-body",
        author=":scope::attr(data-author)",
        time=".message-attribution time.u-dt, .message-header time, time.u-dt",
        id=":scope::attr(data-content)",
        row=".structItem--thread, .node--forum",
        link=".structItem-title a:not(.labelLink), .node-title a",
        replies=".structItem-cell--meta dl:first-child dd, .node-stats dd",
        last=".structItem-latestDate, .node-extra-date",
        title=".p-title-value",
    ),
    "discourse": Selectors(
        post=".crawler-post, article[data-post-id]",
        text=".post[itemprop=articleBody], .post[itemprop=text], .post, .cooked",
        author=".creator [itemprop=name], .creator b, .names .username a, .username a",
        time="[itemprop=datePublished], .post-time, .relative-date",
        id=(
            "::attr(data-post-id), .position::text, [itemprop=position]::text, "
            ".position::attr(content), [itemprop=position]::attr(content)"
        ),
        row="tr.topic-list-item, [itemprop=itemListElement]",
        link="a.raw-topic-link, a.title, a[itemprop=url], a[itemprop=item]",
        replies=".replies .posts, .posts",
        last="td:last-child",
    ),
    "mybb": Selectors(
        post="div.post[id^=post_], table[id^=post_]",
        text=".post_body",
        author=".author_information .largetext, .post_author strong a, .post_author",
        time=".post_date",
        row="tr.inline_row",
        link="[id^=tid_] a, .subject_new a, .subject_old a",
        replies="td:nth-child(4)",
        last=".lastpost",
        next="a.pagination_next",
    ),
    "phpbb": Selectors(
        post="div.post[id^=p]:not([id^=post])",
        text=".content, .postbody",
        author=".author .username, .author .username-coloured, .postprofile .username, .author strong",
        time=".author time, p.author",
        id="::attr(id)",
        row="ul.topics > li.row, ul.forums > li.row",
        link="a.topictitle, a.forumtitle",
        replies="dd.posts",
        last="dd.lastpost",
        title="h2.topic-title a, h2.topic-title",
        next="li.arrow.next a, li.next a",
    ),
    "vbulletin": Selectors(
        post="li.postcontainer, li.postbitlegacy, li.postbit, table[id^=post]",
        text=".postcontent, [id^=post_message_], .b-post__content",
        author=".username, .bigusername",
        time=".postdate, .date",
        row="li.threadbit, tr[id^=thread_]",
        link="a.title, a[id^=thread_title_]",
        replies="ul.threadstats li:first-child, td.alt1:nth-last-child(2)",
        last=".threadlastpost, td.alt2[title]",
    ),
    "vbulletin5": Selectors(
        post="li.b-post[data-node-id]",
        text=".js-post__content-text, .b-post__content",
        author=".b-userinfo__details .author, .author",
        time="time[itemprop=dateCreated], .b-post__timestamp time",
        id="::attr(data-node-id)",
        row="tr.topic-item",
        link="a.topic-title",
        replies=".posts-count",
        last=".post-date",
    ),
    "smf": Selectors(
        post=".post_wrapper",
        text="[data-msgid], .inner, .post .inner",
        author=".poster h4 a, .poster h4",
        time=".keyinfo .smalltext, .keyinfo .postinfo, .postinfo",
        id=".inner::attr(id), [data-msgid]::attr(data-msgid), h5::attr(id)",
        row="#topic_container > div, #messageindex tbody tr, .boardindex_table .up_contain",
        link="[id^=msg_] a, a.subject",
        replies=".board_stats p, td.stats",
        last=".lastpost",
    ),
    "invision": Selectors(
        post="article.cPost, article.ipsComment, article.ipsEntry",
        text="[data-role=commentContent], .cPost_contentWrap .ipsType_richText",
        author=".cAuthorPane_author a, .ipsComment_author a, .ipsEntry__username a",
        time="time[datetime]",
        id="::attr(id)",
        row="li.ipsDataItem[data-rowid], li.ipsData__item, .cForumRow",
        link=".ipsDataItem_title a, .ipsData__title a",
        replies=(
            ".ipsDataItem_stats dt:first-child .ipsDataItem_stats_number, "
            "[data-stattype=forums_comments] .ipsData__stats-value"
        ),
        last=".ipsDataItem_lastPoster time, .ipsData__last-primary time",
    ),
    "flarum": Selectors(
        post=(
            "noscript#flarum-content article, #flarum-content .container > div:has(> .Post-body), "
            "#flarum-content article, article.Post"
        ),
        text=".Post-body",
        author="h3, .PostUser-name",
        time=".Post-date, time",
        row="noscript#flarum-content ul > li, #flarum-content ul > li, .DiscussionListItem",
        link="a",
    ),
    "nodebb": Selectors(
        post="[component=post], li[data-pid]",
        text="[component='post/content'], .content",
        author=":scope::attr(data-username), [itemprop=author]",
        time="[component='post/timestamp'], .timeago, time, [itemprop=datePublished]::attr(content)",
        id=":scope::attr(data-pid)",
        row="li[component='category/topic'], li[component='categories/category']",
        link="[component='topic/header'] a, .title a, h3 a",
        replies="[component='topic/post-count'], .stats-postcount .human-readable-number",
        last=".lastpost .timeago, [component='topic/teaser'] .timeago",
    ),
    "vanilla": Selectors(
        post=".ItemDiscussion, li.ItemComment, .Comment[id^=Comment_]",
        text=".Message, .userContent",
        author="a.Username",
        time="time",
        id="::attr(id)",
        row="li.ItemDiscussion.Item, tr.ItemDiscussion, li.Item[id^=Discussion_]",
        link=".Title a, a.Title",
        replies=".CommentCount, .MItem.CommentCount",
        last=".LastCommentDate time, .DateUpdated time, time",
    ),
    "bbpress": Selectors(
        post=(
            "div[id^=post-].topic, div[id^=post-].reply, div.type-topic[class*=post-], "
            "div.type-reply[class*=post-]"
        ),
        text=".bbp-reply-content, .bbp-topic-content",
        author=".bbp-author-name, .bbp-reply-author .bbp-author-name, .bbp-author-link",
        time=".bbp-reply-post-date, .bbp-topic-post-date",
        row="ul[id^=bbp-topic-].topic, ul[id^=bbp-forum-].forum",
        link="a.bbp-topic-permalink, a.bbp-forum-title",
        replies=".bbp-topic-reply-count, .bbp-forum-reply-count",
        last=".bbp-topic-freshness > a, .bbp-forum-freshness > a",
        next="a.next.page-numbers",
    ),
    "wordpress": Selectors(
        post="li.comment, li.pingback, li[id^=comment-], div.comment[id^=comment-], ol.comment-list > li, "
        "article.post, article.type-post, "
        "div.hentry, div.wp-block-post-content",
        text=(
            ".comment-content, .comment-body > p, .comment-text, .entry-content, .post-content, "
            ".wp-block-post-content"
        ),
        author=(
            ".comment-author .fn, .comment-author cite, .wp-block-comment-author-name, "
            ".byline .author, .entry-meta .author, .author.vcard, .author"
        ),
        time=(
            ".comment-metadata time, .comment-meta time, .commentmetadata, .comment-meta, "
            ".wp-block-comment-date time, time.entry-date, .posted-on time, time"
        ),
        id="::attr(id)",
        row="article.post, article.type-post, article.hentry, div.hentry, li.wp-block-post",
        link=".entry-title a, h2 a, h1 a, h3 a",
        replies=".comments-link",
        next=".nav-next a.comments, .comments-pagination a.next, a.next.page-numbers, .nav-previous a.older",
    ),
    "lemmy": Selectors(
        post="article.post-container, .comment.list-unstyled, li.comment",
        text=".md-div, .postContent, .comment-content",
        author="a.person-listing, .person-listing",
        time="[data-tippy-content], time",
        row=".post-listing",
        link=".post-title a, h5 a",
        replies="a[title*=omment]",
    ),
    "hackernews": Selectors(
        post="tr.athing.comtr, table.fatitem",
        text=".commtext, .toptext",
        author="a.hnuser",
        time="span.age",
        id="::attr(id), tr.athing::attr(id)",
        row="tr.athing.submission, tr.athing:not(.comtr)",
        link=".titleline > a, a.storylink",
        next="a.morelink",
    ),
    "kunena": Selectors(
        post=".kmsg, div[id^=kmessage], .kbox[id]",
        text=".kmsgtext, .kmsg",
        author=".kwho-user, .kpost-username, .kauthor",
        time=".kmsgdate, .kdate",
        row="tr.krow1, tr.krow2, tr.category",
        link="a.ktopic-title, .krow-topic-title a, a.topictitle",
    ),
}
