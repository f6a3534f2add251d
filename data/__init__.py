"""The manifest of published tables and the embedded one."""
