"""Prints a greeting: bazel run //greeter:hello."""

from greeter.greeter import greeting

if __name__ == "__main__":
    print(greeting('{"email": "ada@example.com", "password": "Correct-Horse-9"}'))
