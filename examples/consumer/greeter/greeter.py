"""Uses a DTO of the kernel from another Bazel workspace."""

from shared.dtos import UserCreateDTO


def greeting(body: str) -> str:
    """Greet the user that a registration request describes."""
    user = UserCreateDTO.model_validate_json(body)
    return f"Welcome, {user.email}!"
