"""The archive on Elasticsearch 9."""

from listener.archive.elastic.archive import ElasticArchive

__all__ = ["ElasticArchive"]
