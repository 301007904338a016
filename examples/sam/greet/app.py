"""Greets whom the path names."""

import os


def handler(event, context):
    name = event["pathParameters"]["name"]
    return {"message": f"{os.environ['GREETING']}, {name}!"}
