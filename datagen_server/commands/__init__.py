"""What each command does: a module for each, with `run(options)`, imported only when its command is given."""
