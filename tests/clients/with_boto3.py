"""From create_api to a served request, with boto3: python with_boto3.py <management URL> <address of the APIs>."""

import sys
import json
import urllib.error
import urllib.request

import boto3
from botocore.config import Config

management, served = sys.argv[1:]
client = boto3.client(
    "apigatewayv2",
    endpoint_url=management,
    region_name="us-east-1",
    aws_access_key_id="x",
    aws_secret_access_key="x",
    config=Config(retries={"max_attempts": 0}),
)


def get(api, path):
    """Status and text of a request to an API."""
    host = api["ApiEndpoint"].removeprefix("http://")
    request = urllib.request.Request("http://" + served + path, headers={"Host": host})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def refused(exception, call, **arguments):
    """What a call is refused with, as the SDK knows it."""
    try:
        call(**arguments)
    except getattr(client.exceptions, exception) as error:
        return error.response["Error"]["Message"]
    raise AssertionError(f"{exception} was not raised")


api = client.create_api(Name="pets", ProtocolType="HTTP", Tags={"team": "a"})
assert api["Tags"] == {"team": "a"} and api["CreatedDate"].tzinfo is not None, api
key = {"ApiId": api["ApiId"]}
assert get(api, "/pets") == (404, '{"message":"Not Found"}')
integration = client.create_integration(
    **key,
    IntegrationType="HTTP_PROXY",
    IntegrationMethod="ANY",
    IntegrationUri=management + "/echo",
    PayloadFormatVersion="1.0",
)
target = "integrations/" + integration["IntegrationId"]
for path in ["/pets", "/cats", "/dogs"]:
    client.create_route(**key, RouteKey="GET " + path, Target=target)
client.create_stage(**key, StageName="$default", AutoDeploy=True)
status, text = get(api, "/pets?a=b")
assert status == 200 and '"args":{"a":"b"}' in text, text
pages = client.get_paginator("get_routes").paginate(**key, PaginationConfig={"PageSize": 2})
assert sorted(route["RouteKey"] for page in pages for route in page["Items"]) == [
    "GET /cats",
    "GET /dogs",
    "GET /pets",
]
message = refused("ConflictException", client.create_route, **key, RouteKey="GET /pets")
assert message == "Route with key GET /pets already exists for this API", message
refused("NotFoundException", client.get_route, **key, RouteId="none")
refused("BadRequestException", client.create_route, **key, RouteKey="pets")
settings = {"GET /pets": {"ThrottlingBurstLimit": 1, "ThrottlingRateLimit": 0.5}}
stage = client.update_stage(**key, StageName="$default", RouteSettings=settings, AutoDeploy=False)
assert stage["RouteSettings"] == settings and stage["DeploymentId"], stage
client.delete_route_settings(**key, StageName="$default", RouteKey="GET /pets")
client.delete_route(**key, RouteId=client.get_routes(**key)["Items"][0]["RouteId"])
assert get(api, "/pets")[0] == 200, "the deployment has all routes"
arn = "arn:aws:apigateway:us-east-1::/apis/" + api["ApiId"]
client.tag_resource(ResourceArn=arn, Tags={"b": "1"})
client.untag_resource(ResourceArn=arn, TagKeys=["team"])
assert client.get_tags(ResourceArn=arn)["Tags"] == {"b": "1"}
client.create_domain_name(DomainName="pets.example.test")
client.create_api_mapping(DomainName="pets.example.test", ApiId=api["ApiId"], Stage="$default")
assert get({"ApiEndpoint": "http://pets.example.test"}, "/pets")[0] == 200
refused("BadRequestException", client.delete_api, **key)
client.delete_domain_name(DomainName="pets.example.test")

exported = client.export_api(**key, Specification="OAS30", OutputType="YAML", StageName="$default")["body"].read()
assert b"/dogs" in exported and exported.count(b"x-amazon-apigateway-integration:") == 3, exported
imported = client.import_api(Body=exported.decode(), FailOnWarnings=True)
assert imported["Name"] == "pets" and "Warnings" not in imported, imported
copy = {"ApiId": imported["ApiId"]}
client.create_stage(**copy, StageName="$default", AutoDeploy=True)
assert get(imported, "/dogs")[0] == 200
document = json.loads(client.export_api(**copy, Specification="OAS30", OutputType="JSON")["body"].read())
del document["paths"]["/dogs"]
document["paths"]["/x"] = {"get": {"responses": {}}}
text = json.dumps(document)
message = refused("BadRequestException", client.reimport_api, **copy, Body=text, FailOnWarnings=True)
assert message.startswith("Warnings found during import:\n\tbody#/paths/~1x/get: "), message
assert get(imported, "/dogs")[0] == 200
again = client.reimport_api(**copy, Body=text, Basepath="ignore")
assert again["ApiId"] == imported["ApiId"] and len(again["Warnings"]) == 1, again
assert get(imported, "/dogs")[0] == 404 and get(imported, "/cats")[0] == 200
client.delete_api(**copy)
client.delete_api(**key)
assert client.get_apis()["Items"] == []
print("done")
