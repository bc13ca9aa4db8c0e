"""Deploy a bundle: the files for Docker, Kubernetes, KServe and the Gateway API, and the commands that use them."""

from ratchet.deploy.docker import docker
from ratchet.deploy.gateway_api import gateway_api, http_route
from ratchet.deploy.kserve import kserve
from ratchet.deploy.kubernetes import kubernetes
from ratchet.deploy.service import Service
from ratchet.deploy.written import Written

__all__ = ["Service", "Written", "docker", "gateway_api", "http_route", "kserve", "kubernetes"]
