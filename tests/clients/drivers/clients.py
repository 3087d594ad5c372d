"""Clients from PyPI: clients.py CLIENT, or clients.py PACKAGE version

Each function makes one client, as its documentation does it first, and returns what one operation with
it is. Options stand here only where the client's name says so.
"""

import asyncio
import importlib.metadata
import json
import sys
import threading

from drive import URL, drive

JSON = {"content-type": "application/json"}


def requests(retries=0, timeout=None):
    import requests

    session = requests.Session()
    if retries:
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retries))

    def operation(method, path, body):
        data = body if method == "POST" else None
        answer = session.request(method, URL + path, data=data, headers=JSON, timeout=timeout)
        answer.raise_for_status()

    return operation


def urllib3():
    import urllib3

    pool = urllib3.PoolManager(maxsize=10)

    def operation(method, path, body):
        data = body if method == "POST" else None
        answer = pool.request(method, URL + path, body=data, headers=JSON)
        assert answer.status < 400, answer.status

    return operation


def httpx():
    import httpx

    client = httpx.Client()

    def operation(method, path, body):
        content = body if method == "POST" else None
        client.request(method, URL + path, content=content, headers=JSON).raise_for_status()

    return operation


def aiohttp():
    import aiohttp

    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    async def session():
        return aiohttp.ClientSession(raise_for_status=True)

    session = asyncio.run_coroutine_threadsafe(session(), loop).result()

    async def ask(method, path, body):
        data = body if method == "POST" else None
        async with session.request(method, URL + path, data=data, headers=JSON) as answer:
            await answer.read()

    return lambda *what: asyncio.run_coroutine_threadsafe(ask(*what), loop).result()


def tenacity():
    from tenacity import retry, stop_after_attempt, wait_random_exponential

    wait = wait_random_exponential(multiplier=0.2)
    return retry(stop=stop_after_attempt(6), wait=wait)(requests(timeout=5))


def backoff():
    import backoff

    return backoff.on_exception(backoff.expo, Exception, max_tries=6, factor=0.2)(requests(timeout=5))


def stamina():
    import stamina

    return stamina.retry(on=Exception)(httpx())


def boto3():
    import boto3
    from botocore.config import Config

    options = {"region_name": "us-east-1", "endpoint_url": URL}
    # Credentials of nobody: it wants to sign.
    options |= {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing"}
    s3 = boto3.client("s3", config=Config(s3={"addressing_style": "path"}), **options)

    def operation(method, path, body):
        _, bucket, key = path.split("/", 2)
        if method == "POST":
            s3.restore_object(Bucket=bucket, Key=key, RestoreRequest={"Days": 1})
        else:
            s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    return operation


def openai():
    import openai

    client = openai.OpenAI(api_key="nobody", base_url=URL)

    def operation(method, path, body):
        if method == "POST":
            client.post(path, cast_to=object, body=json.loads(body))
        else:
            client.get(path, cast_to=object)

    return operation


def stripe(**options):
    import stripe

    client = stripe.StripeClient("nobody", base_addresses={"api": URL}, **options)
    return lambda method, path, body: client.raw_request(method.lower(), path)


def azure_core():
    from azure.core import PipelineClient
    from azure.core.pipeline.policies import RetryPolicy
    from azure.core.rest import HttpRequest

    client = PipelineClient(base_url=URL, policies=[RetryPolicy()])

    def operation(method, path, body):
        content = json.loads(body) if method == "POST" else None
        client.send_request(HttpRequest(method, URL + path, json=content)).raise_for_status()

    return operation


CLIENTS = {
    "requests": requests,
    "requests max_retries=3": lambda: requests(retries=3),
    "requests timeout=5": lambda: requests(timeout=5),
    "urllib3": urllib3,
    "httpx": httpx,
    "aiohttp": aiohttp,
    "tenacity": tenacity,
    "backoff": backoff,
    "stamina": stamina,
    "boto3": boto3,
    "openai": openai,
    "stripe": stripe,
    "stripe max_network_retries=2": lambda: stripe(max_network_retries=2),
    "azure-core": azure_core,
}


def main(name, version=None):
    if version:
        print(importlib.metadata.version(name))
    else:
        drive(CLIENTS[name]())


main(*sys.argv[1:])
