"""Setting a repository up: what `pv init` lays down, and what `pv new` adds."""
