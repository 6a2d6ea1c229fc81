"""The configuration of a service: one typed, frozen tree from the environment."""

from shared.config._errors import ConfigurationError, ConfigurationProblem
from shared.config._explain import ExplainedSetting, Explanation, explain_config
from shared.config._load import clear_config_cache, get_config, load_config
from shared.config._render import render_env_example, render_markdown
from shared.config._section import ConfigSection, Env
from shared.config._settings import (
    CorsConfig,
    DatabaseConfig,
    Environment,
    RabbitMQConfig,
    RedisConfig,
    SecurityConfig,
    ServerConfig,
    ServiceConfig,
)
from shared.config._urls import SecretUrl

__all__ = [
    # Read it
    "get_config",
    "load_config",
    "clear_config_cache",
    "ConfigurationError",
    "ConfigurationProblem",
    # The tree
    "ServiceConfig",
    "DatabaseConfig",
    "RedisConfig",
    "RabbitMQConfig",
    "SecurityConfig",
    "CorsConfig",
    "ServerConfig",
    "Environment",
    # Extend it
    "ConfigSection",
    "Env",
    "SecretUrl",
    # Show it
    "explain_config",
    "Explanation",
    "ExplainedSetting",
    "render_env_example",
    "render_markdown",
]
