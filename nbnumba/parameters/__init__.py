"""Every parameter of a simulation, declared once, and the settings that they fill."""
