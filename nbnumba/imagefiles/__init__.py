"""Images as files of other programs, with what is known of their making."""
