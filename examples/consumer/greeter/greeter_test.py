"""The kernel's DTO works here, and nothing came with it that was not asked for."""

import importlib.util
import unittest

from greeter.greeter import greeting


class GreeterTest(unittest.TestCase):
    def test_the_dto_validates(self) -> None:
        body = '{"email": "ada@example.com", "password": "Correct-Horse-9"}'
        self.assertEqual(greeting(body), "Welcome, ada@example.com!")

    def test_a_bad_body_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "email"):
            greeting('{"email": "ada", "password": "Correct-Horse-9"}')

    def test_only_what_the_target_needs_is_here(self) -> None:
        self.assertIsNotNone(importlib.util.find_spec("shared.validation"))
        for absent in ("fastapi", "jose", "shared.auth", "shared.errors"):
            package = absent.split(".")[0]
            found = importlib.util.find_spec(package) and importlib.util.find_spec(
                absent
            )
            self.assertIsNone(found, absent)


if __name__ == "__main__":
    unittest.main()
