"""A small OpenAPI document that has a part for every rule."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]


def openapi() -> Document:
    """Two operations on users, one open."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Accounts", "version": "0.0.0"},
        "servers": [{"url": "https://api.example"}, {"url": "https://eu.example"}],
        "paths": {
            "/users": {
                "post": {
                    "operationId": "register",
                    "summary": "Register",
                    "requestBody": {
                        "required": True,
                        "content": {
                            "application/json": {
                                "schema": {"$ref": "#/components/schemas/User"}
                            },
                            "application/x-www-form-urlencoded": {"schema": {}},
                        },
                    },
                    "responses": {
                        "201": {
                            "description": "Done.",
                            "headers": {
                                "Location": {
                                    "required": True,
                                    "schema": {"type": "string"},
                                },
                                "ETag": {"schema": {"type": "string"}},
                            },
                            "content": {
                                "application/json": {
                                    "schema": {"$ref": "#/components/schemas/User"}
                                },
                                "text/csv": {"schema": {"type": "string"}},
                            },
                        },
                        "409": problem("conflict", "email_taken"),
                        "default": {"description": "An error."},
                    },
                }
            },
            "/users/{user_id}": {
                "parameters": [
                    {
                        "name": "user_id",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "string", "maxLength": 36},
                    }
                ],
                "get": {
                    "operationId": "read",
                    "parameters": [
                        {
                            "name": "fields",
                            "in": "query",
                            "schema": {"type": "array", "items": {"type": "string"}},
                        },
                        {
                            "name": "X-Tenant",
                            "in": "header",
                            "required": True,
                            "schema": {"type": "string"},
                        },
                    ],
                    "requestBody": {"content": {"application/json": {"schema": {}}}},
                    "responses": {"200": {"description": "It."}},
                    "security": [{"oauth": ["read"]}],
                },
            },
        },
        "webhooks": {
            "registered": {
                "post": {
                    "requestBody": {
                        "content": {
                            "application/json": {
                                "schema": {"type": "string", "maxLength": 9}
                            }
                        }
                    }
                }
            }
        },
        "components": {
            "schemas": {
                "User": {
                    "type": "object",
                    "properties": {"name": {"type": "string", "maxLength": 20}},
                    "required": ["name"],
                }
            },
            "securitySchemes": {
                "oauth": {
                    "type": "oauth2",
                    "flows": {
                        "password": {
                            "tokenUrl": "/token",
                            "scopes": {"read": "Reads.", "write": "Writes."},
                        }
                    },
                },
                "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
            },
        },
    }


def problem(*codes: str) -> Document:
    """A response that documents codes."""
    examples = {code: {"summary": code, "value": {"code": code}} for code in codes}
    return {
        "description": "A problem.",
        "content": {"application/problem+json": {"examples": examples}},
    }


def register(document: Document) -> Document:
    """POST /users."""
    found: Document = document["paths"]["/users"]["post"]
    return found


def read(document: Document) -> Document:
    """GET /users/{user_id}."""
    found: Document = document["paths"]["/users/{user_id}"]["get"]
    return found
