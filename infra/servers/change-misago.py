#!/usr/bin/env python3
"""change-misago.py add TEXT → prints the new post's number; edit NUMBER TEXT; delete NUMBER. In the newest thread."""

import sys

import misago_engine

misago_engine.enter()

from django.utils import timezone
from django.utils.html import escape
from misago.threads.checksums import update_post_checksum
from misago.threads.models import Post, Thread

act, *rest = sys.argv[1:]
if act == "add":
    thread = Thread.objects.order_by("-id").first()
    last = Post.objects.filter(thread=thread).order_by("-id").first()
    post = Post(
        category=thread.category,
        thread=thread,
        poster=last.poster,
        poster_name=last.poster_name,
        posted_on=timezone.now(),
        updated_on=timezone.now(),
    )
    text = rest[0]
else:
    post = Post.objects.get(id=rest[0])
    thread = post.thread
    text = rest[1] if act == "edit" else ""
if act == "delete":
    post.delete()
else:
    post.original, post.parsed, post.checksum = text, f"<p>{escape(text)}</p>", "x"
    post.save()
    update_post_checksum(post)
    post.save()
    print(post.id)
thread.synchronize()
thread.save()
thread.category.synchronize()
thread.category.save()
