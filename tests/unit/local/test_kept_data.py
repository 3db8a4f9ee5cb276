"""What an emulator holds is the same after it was kept and put back into a new one."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from graphjobs.local import resources
from graphjobs.local.kept_data import FILE, DataUnreadable, KeptData
from graphjobs.testing.aws import client, empty_aws

ROW = {
    "pk": {"S": "job#job-1"},
    "job_id": {"S": "job-1"},
    "lease_until": {"N": "99"},
    "active": {"S": "0"},
    "due_at": {"N": "1"},
}
OVER: Any = {"pk": {"S": "job#job-2"}, "job_id": {"S": "job-2"}, "lease_until": {"N": "0"}}
SLOT: Any = {
    "job_id": {"S": "job-1"},
    "seq": {"N": "1"},
    "body": {"B": bytes(range(256))},
    "mark": {"L": [{"S": "thread"}, {"N": "7"}, {"M": {"deep": {"B": b"\x00"}}}]},
    "flag": {"BOOL": True},
    "names": {"SS": ["a", "b"]},
}


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr(resources, "client", lambda service, url: client(service))
    return resources.settings_of("https://sqs.us-east-1.amazonaws.com", "kept")


def made() -> None:
    resources.create_resources("https://sqs.us-east-1.amazonaws.com", "kept", visibility_seconds=30)


def test_everything_is_there_again_and_jobs_that_go_on_are_free(tmp_path: Path, names: dict[str, str]) -> None:
    data = KeptData(tmp_path)
    bucket, secret = names["GRAPHJOBS_PAYLOAD_BUCKET"], names["GRAPHJOBS_TICKET_SECRET"]
    with empty_aws():
        made()
        dynamodb = client("dynamodb")
        for table, item in (("jobs-kept", ROW), ("jobs-kept", OVER), ("events-kept", SLOT)):
            dynamodb.put_item(TableName=table, Item=item)
        client("s3").put_object(Bucket=bucket, Key="events/x", Body=b"\x00large")
        secrets = client("secretsmanager")
        before = secrets.get_secret_value(SecretId=secret)["SecretString"]
        data.save()
    with empty_aws():
        made()
        assert data.load() == ["job-1"]
        dynamodb = client("dynamodb")
        rows = {item["job_id"]["S"]: item for item in dynamodb.scan(TableName="jobs-kept")["Items"]}
        assert rows == {"job-1": ROW | {"lease_until": {"N": "0"}}, "job-2": OVER}
        assert dynamodb.scan(TableName="events-kept")["Items"] == [SLOT]
        stored = client("s3").get_object(Bucket=bucket, Key="events/x")
        assert stored["Body"].read() == b"\x00large"
        secrets = client("secretsmanager")
        assert secrets.get_secret_value(SecretId=secret)["SecretString"] == before


def test_without_a_file_nothing_is_put_back(tmp_path: Path) -> None:
    with empty_aws():
        assert KeptData(tmp_path).load() == []


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", gzip.compress(b"[]"), gzip.compress(b'{"version": 2}')],
    ids=["empty", "no gzip", "a list", "of another version"],
)
def test_a_file_that_is_none_of_ours_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with empty_aws(), pytest.raises(DataUnreadable) as refusal:
        KeptData(tmp_path).load()
    assert "\n" not in str(refusal.value)
