"""A request body becomes an object, and a response body comes out by its aliases."""

from pydantic import ValidationError

from shared.dtos import ErrorDetail, UserCreateDTO

user = UserCreateDTO.model_validate(
    {"email": "ann@example.org", "username": "ann_1", "password": "Correct-horse-1"}
)
assert user.email == "ann@example.org"
assert "Correct-horse-1" not in repr(user)

try:
    UserCreateDTO.model_validate({"email": "not an address"})
except ValidationError as error:
    wrong = sorted(str(item["loc"][0]) for item in error.errors())
else:
    wrong = []
assert "email" in wrong
assert "password" in wrong
assert ErrorDetail.model_json_schema()["type"] == "object"
