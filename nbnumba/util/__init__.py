"""What every part of the program uses: messages, exit statuses, signals, memory, checks of arguments."""
