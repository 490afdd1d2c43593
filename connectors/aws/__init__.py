"""Amazon Web Services through boto3's core: machines on EC2, disks on EBS, networks in a VPC, balancers on ELBv2."""

from __future__ import annotations

from connectors.aws.connector import AwsConnector
from connectors.base import Access

__all__ = ["connect"]


def connect(access: Access) -> AwsConnector:
    """Return a connector; nothing is connected before the first call."""
    return AwsConnector(access)
