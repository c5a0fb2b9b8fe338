#!/usr/bin/env python3
"""Fill Misago with the threads of seedtext.py through its own models, dates kept. Idempotent."""

import misago_engine

misago_engine.enter()

import seedtext
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils.html import escape
from misago.categories.models import Category
from misago.core.utils import slugify
from misago.threads.checksums import update_post_checksum
from misago.threads.models import Post, Thread
from misago.users.avatars import dynamic

User = get_user_model()


def user(name):
    name = "".join(c for c in name if c.isalnum()).replace("ä", "a").replace("ö", "o").replace("ø", "o")
    found = User.objects.filter(slug=name.lower()).first()
    if found is None:
        found = User.objects.create_user(name, f"{name.lower()}@example.com", "Fj3lltele-pw!")
        dynamic.set_avatar(found)
    return found


def thread(category, told):
    first = told["posts"][0]
    starter = user(first["author"])
    made = Thread.objects.create(
        category=category,
        title=told["title"],
        slug=slugify(told["title"]),
        started_on=first["when"],
        last_post_on=first["when"],
        starter=starter,
        starter_name=starter.username,
        starter_slug=starter.slug,
        last_poster=starter,
        last_poster_name=starter.username,
        last_poster_slug=starter.slug,
    )
    for said in told["posts"]:
        poster = user(said["author"])
        post = Post.objects.create(
            category=category,
            thread=made,
            poster=poster,
            poster_name=poster.username,
            original=said["text"],
            parsed=f"<p>{escape(said['text'])}</p>",
            checksum="x",
            posted_on=said["when"],
            updated_on=said["when"],
        )
        update_post_checksum(post)
        post.save()
    made.synchronize()
    made.save()


category = Category.objects.all_categories().filter(level__gte=1).first()
if not Thread.objects.filter(title=seedtext.TITLES[0][1]).exists():
    with transaction.atomic():
        for told in seedtext.threads():
            thread(category, told)
        category.synchronize()
        category.save()
print("SEEDED threads", Thread.objects.count(), "posts", Post.objects.count())
