"""What an object store refuses, as errors a caller can act on."""

from collections.abc import Iterator
from contextlib import contextmanager

from domain.errors import NotFound, StorageFailed, StorageFull

NOT_THERE = {"NoSuchKey", "NoSuchUpload", "404"}
NOT_OURS = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "403"}
NO_ROOM = {"QuotaExceeded", "XMinioStorageFull", "EntityTooLarge", "507"}


@contextmanager
def s3_errors(bucket: str) -> Iterator[None]:
    """Raise NotFound, StorageFull or StorageFailed with a sentence instead of botocore's errors; no key, no address."""
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "error"))
        if code in NOT_THERE:
            raise NotFound("No such blob.") from error
        if code == "NoSuchBucket":
            raise StorageFailed(f"The object store has no bucket {bucket}.") from error
        if code in NOT_OURS:
            raise StorageFailed(f"The object store lets us not use the bucket {bucket} ({code}).") from error
        if code in NO_ROOM:
            raise StorageFull("There is no room left in the object store; nothing was stored.") from error
        raise StorageFailed(f"The object store refused with {code}.") from error
    except NoCredentialsError as error:
        raise StorageFailed("There is no key for the object store: name its variables in storage.s3.") from error
    except (BotoCoreError, HTTPClientError) as error:
        raise StorageFailed(f"The object store does not answer ({type(error).__name__}).") from error
