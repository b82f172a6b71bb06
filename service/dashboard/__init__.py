"""The dashboard: its pages, scripts and libraries, and how they are served."""
