"""Where the panels stand, and what resolution their pixels see."""
