"""The command line: options, help texts and examples of every command."""
