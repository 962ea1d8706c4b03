"""Where things are: settings, secrets, links, logs, disks."""
