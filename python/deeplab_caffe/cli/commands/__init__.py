"""One module for each command, imported when the command is called; `cli/command_table.py` lists them."""
